"""The engine: rows of any skills in, hidden states out, one pass of the frozen encoder for the batch.

A batch runs in two stages. The trunk runs once per distinct utterance; then the top runs once per row, with
each row's own deep prompt. Subclasses only say how to run the two stages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nlu.prompt import Floats, Row, stacked
from nlu.shape import EncoderShape

Mask = NDArray[np.bool_]

CPU_CHUNK_TOKENS = 128  # a CPU's matrix products are near their best from here on (benchmarks/RESULTS.md)
GPU_CHUNK_TOKENS = 1 << 14
CPU_LANES = 16  # tokens that kernels add up side by side: padding into the next lanes changes last bits


class Engine(ABC):
    """Runs batches of rows through the frozen encoder.

    Not thread-safe: one thread calls `encode`.
    """

    name: str

    def __init__(
        self,
        shape: EncoderShape,
        embedding: Floats,
        *,
        chunk_tokens: int = CPU_CHUNK_TOKENS,
        lanes: int = CPU_LANES,
    ) -> None:
        self.shape = shape
        self._chunk_tokens = chunk_tokens  # padded tokens of one pass; more only pads more
        self._lanes = lanes  # tokens
        self._embedding = embedding  # (vocabulary, D)

    def encode(self, rows: Sequence[Row]) -> list[Floats]:
        """Return the hidden states of each row's tokens, (tokens, D), without those of a soft prompt."""
        states: dict[int, Floats] = {}
        for chunk in self._chunks(rows):
            states |= zip(chunk, self._encode_padded([rows[i] for i in chunk]), strict=True)
        return [states[i] for i in range(len(rows))]

    @abstractmethod
    def prepare(self, *, adapted: bool) -> None:
        """Load the top layers, with or without the adapter, if they are not loaded yet; safe from any thread.

        `encode` does so as well, but other rows wait meanwhile.

        Raises:
            BackboneError: the backbone has no adapter.
        """

    def _chunks(self, rows: Sequence[Row]) -> Iterator[list[int]]:
        """Yield the places of rows that are padded together: alike in length, one utterance side by side.

        No row is padded into more lanes than it has itself, so what else is asked does not change its states.
        """
        order = sorted(range(len(rows)), key=lambda i: (rows[i].length, rows[i].token_ids))
        chunk: list[int] = []
        for i in order:
            if chunk and rows[i].length // self._lanes > rows[chunk[0]].length // self._lanes:
                yield chunk
                chunk = []
            chunk.append(i)
            if len(chunk) * rows[i].length >= self._chunk_tokens:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _encode_padded(self, rows: Sequence[Row]) -> list[Floats]:
        """Return what `encode` does, in one pass of each stage."""
        keys = [(row.token_ids, id(row.prompt.soft)) for row in rows]
        place = {key: index for index, key in enumerate(dict.fromkeys(keys))}
        utterances = {key: row for key, row in zip(keys, rows, strict=True)}
        embeddings, mask = self._embed([utterances[key] for key in place])
        hidden = self._trunk(embeddings, mask)
        gather = np.array([place[key] for key in keys])
        states: dict[int, Floats] = {}
        for adapted in sorted({row.prompt.adapted for row in rows}):
            places = [i for i, row in enumerate(rows) if row.prompt.adapted == adapted]
            prompts = self._prompts([rows[i] for i in places])
            top = self._top(hidden[gather[places]], mask[gather[places]], *prompts, adapted=adapted)
            states |= zip(places, top, strict=True)
        return [states[i][row.prompt.soft_length : row.length] for i, row in enumerate(rows)]

    @abstractmethod
    def _trunk(self, embeddings: Floats, mask: Mask) -> Floats:
        """(B, T, D), (B, T) -> (B, T, D)."""

    @abstractmethod
    def _top(
        self, hidden: Floats, mask: Mask, prompt: Floats | None, prompt_mask: Mask | None, *, adapted: bool
    ) -> Floats:
        """(B, T, D), (B, T), (B, N, 2, P, H*K), (B, P) -> (B, T, D)."""

    def _embed(self, rows: Sequence[Row]) -> tuple[Floats, Mask]:
        """Return padded embeddings (B, T, D) and their mask (B, T)."""
        longest = max(row.length for row in rows)
        embeddings = np.zeros((len(rows), longest, self.shape.d_model), np.float32)
        mask = np.zeros((len(rows), longest), np.bool_)
        for i, row in enumerate(rows):
            if row.prompt.soft is not None:
                embeddings[i, : row.prompt.soft_length] = row.prompt.soft
            embeddings[i, row.prompt.soft_length : row.length] = self._embedding[list(row.token_ids)]
            mask[i, : row.length] = True
        return embeddings, mask

    def _prompts(self, rows: Sequence[Row]) -> tuple[Floats | None, Mask | None]:
        """Return the rows' deep prompts (B, N, 2, P, H*K), padded to the longest, and their mask (B, P)."""
        none = np.zeros((self.shape.prompted_layers, 2, 0, self.shape.d_attention), np.float32)
        prompts, mask = stacked([none if row.prompt.deep is None else row.prompt.deep for row in rows])
        return (prompts, mask) if mask.any() else (None, None)
