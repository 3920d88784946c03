"""Verify-and-correct decoding: what greedy decoding gives, in a few parallel passes.

The source is proposed as its own correction, and one pass tells how far the decoder agrees. From where it
departs, its own token is taken and the rest of the source is proposed again. So a sentence with two errors
takes about three passes, and a batch mixes rows of any skills and lengths.

Token for token equal to greedy decoding (a test compares), as a token is only kept if it is the likeliest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from nlu.compute import Compute
from nlu.decoder import NOWHERE, Decoder
from nlu.draft import Draft
from nlu.prompt import DecoderPrompt, Floats, stacked

START, END = 0, 1  # T5 begins with its padding token
GROWTH = 16  # tokens that a correction may have more than 1.5 times the source


@dataclass(frozen=True, eq=False)
class CorrectionRow:
    """A source (tokens, END last), its (L, D) encoder states, and the prompt of its skill."""

    token_ids: tuple[int, ...]
    states: Floats
    prompt: DecoderPrompt

    @property
    def length(self) -> int:
        """Positions that the decoder verifies."""
        return len(self.token_ids)


@dataclass(frozen=True)
class Correction:
    """Decoded tokens without END, the probability of each, and in how many passes."""

    token_ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    passes: int


class Corrector:
    """Decodes corrections of batches of rows. Not thread-safe: one thread calls `correct`."""

    def __init__(self, decoder: Decoder, compute: Compute) -> None:
        self._decoder = decoder.to(device=compute.device, dtype=compute.dtype)
        self._compute = compute

    @torch.inference_mode()
    def correct(self, rows: Sequence[CorrectionRow]) -> list[Correction]:
        """Return what greedy decoding would say of each row."""
        outputs = [_Output(row) for row in rows]
        batch = self._begin(outputs)
        while batch is not None:
            batch = self._step(batch)
        return [output.correction() for output in outputs]

    def _begin(self, outputs: list[_Output]) -> _Batch | None:
        if not outputs:
            return None
        lengths = [len(output.row.states) for output in outputs]
        states = np.zeros((len(outputs), max(lengths), self._decoder.shape.d_model), np.float32)
        for place, output in enumerate(outputs):
            states[place, : lengths[place]] = output.row.states
        own, own_mask = stacked([output.row.prompt.own for output in outputs])
        beside, beside_mask = stacked([output.row.prompt.memory for output in outputs])
        mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
        memory = self._decoder.remember(self._tensor(states), self._tensor(beside))
        seen = torch.from_numpy(np.concatenate([beside_mask, mask], axis=1)).to(self._compute.device)
        positions = np.where(own_mask, np.cumsum(own_mask, axis=1) - 1, NOWHERE)
        return _Batch(
            outputs,
            past=self._tensor(own),
            keys=torch.from_numpy(positions).to(self._compute.device),
            memory=memory,
            memory_bias=self._decoder.memory_bias(seen),
        )

    def _step(self, batch: _Batch) -> _Batch | None:
        """Read what is proposed to each row, keep what is right, and return the rows that go on."""
        proposed = [output.propose() for output in batch.outputs]
        longest = max(map(len, proposed))
        ids = np.zeros((len(proposed), longest), np.int64)
        fed = np.arange(longest) < np.array([len(each) for each in proposed])[:, None]
        ids[fed] = np.concatenate(proposed)
        begin = np.array([output.position for output in batch.outputs])
        queries = begin[:, None] + np.arange(longest)
        positions = torch.from_numpy(np.where(fed, queries, NOWHERE)).to(batch.keys.device)
        keys = torch.cat([batch.keys, positions], dim=1)
        bias = self._decoder.attention_bias(torch.from_numpy(queries).to(keys.device), keys)
        token_ids = torch.from_numpy(ids).to(keys.device)
        hidden, kv = self._decoder(token_ids, batch.past, bias, batch.memory, batch.memory_bias)
        logits = self._decoder.lm_head(hidden[torch.from_numpy(fed).to(keys.device)])  # (fed tokens, V)
        best = np.split(logits.argmax(dim=-1).cpu().numpy(), np.cumsum(fed.sum(axis=1))[:-1])
        counts = [output.accept(each) for output, each in zip(batch.outputs, best, strict=True)]
        kept = np.arange(longest) < np.array(counts)[:, None]
        probabilities = np.split(self._probabilities(logits, kept[fed]), np.cumsum(counts)[:-1])
        for output, each in zip(batch.outputs, probabilities, strict=True):
            output.believe(each.tolist())
        keys[:, -longest:].masked_fill_(torch.from_numpy(~kept).to(keys.device), NOWHERE)
        return batch.extended(kv, keys)

    def _probabilities(self, logits: Tensor, kept: np.ndarray) -> np.ndarray:
        """Return the probability of the best token of those of the (tokens, V) logits that are kept."""
        scores = logits[torch.from_numpy(kept).to(logits.device)].float()
        probabilities: np.ndarray = (scores.amax(dim=-1) - scores.logsumexp(dim=-1)).exp().cpu().numpy()
        return probabilities

    def _tensor(self, array: Floats) -> Tensor:
        return torch.from_numpy(array).to(device=self._compute.device, dtype=self._compute.dtype)


@dataclass(eq=False)
class _Output:
    """What one row has decoded so far."""

    row: CorrectionRow
    tokens: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    passes: int = 0
    done: bool = False

    def __post_init__(self) -> None:
        self._draft = Draft(self.row.token_ids)
        self._limit = 3 * self.row.length // 2 + GROWTH

    @property
    def position(self) -> int:
        """Where the next token to be read stands, the prompt before it."""
        return self.row.prompt.length + len(self.tokens)

    def propose(self) -> tuple[int, ...]:
        """Return the last token, which the decoder has not read yet, and a draft."""
        last = self.tokens[-1] if self.tokens else START
        self._proposed = self._draft.propose()
        return (last, *self._proposed)

    def accept(self, best: np.ndarray) -> int:
        """Keep the decoder's tokens as far as the draft led it right; return how many of those read stay."""
        departed = np.flatnonzero(best[:-1] != np.array(self._proposed, np.int64))
        count = int(departed[0]) if len(departed) else len(best) - 1
        self._draft.accept(count, int(best[count]))
        self.passes += 1
        for token in best[: count + 1].tolist():
            self.tokens.append(token)
            if token == END or len(self.tokens) >= self._limit:
                self.done = True
                break
        return count + 1

    def believe(self, probabilities: list[float]) -> None:
        """Take note of the probabilities of the tokens just kept, and perhaps of some beyond the end."""
        self.probabilities += probabilities
        del self.probabilities[len(self.tokens) :]

    def correction(self) -> Correction:
        ended = self.tokens[-1:] == [END]
        size = len(self.tokens) - ended
        return Correction(tuple(self.tokens[:size]), tuple(self.probabilities[:size]), self.passes)


@dataclass(frozen=True, eq=False)
class _Batch:
    """The rows that go on. Shapes: past (B, N, 2, S, H*K), keys (B, S), memory (B, N, 2, M, H*K)."""

    outputs: list[_Output]
    past: Tensor
    keys: Tensor  # positions
    memory: Tensor
    memory_bias: Tensor

    def extended(self, kv: Tensor, keys: Tensor) -> _Batch | None:
        """Return the batch after a step: its new keys and values appended, without the rows that are done."""
        past = torch.cat([self.past, kv], dim=3)
        going = [place for place, output in enumerate(self.outputs) if not output.done]
        if len(going) == len(self.outputs):
            return _Batch(self.outputs, past, keys, self.memory, self.memory_bias)
        if not going:
            return None
        outputs = [self.outputs[place] for place in going]
        return _Batch(outputs, past[going], keys[going], self.memory[going], self.memory_bias[going])
