"""A skill's prompt: what the frozen encoder sees besides the utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlu.half import Floats as Floats
from nlu.half import Halves, widen_into
from nlu.shape import MAX_PROMPT_LENGTH
from skills.errors import InputError


@dataclass(frozen=True, eq=False)
class Prompt:
    """Trained vectors of one skill version; without either, the bare backbone.

    deep: (top layers, 2, P, H*K) keys and values above the fork, or None; in half precision as stored.
    soft: (S, D) embeddings before the tokens, or None. adapted: whether it was tuned on the dialog adapter,
    and so is to run on it.

    Raises:
        InputError: it has more than MAX_PROMPT_LENGTH vectors.
    """

    deep: Halves | None = None
    soft: Floats | None = None
    adapted: bool = False

    def __post_init__(self) -> None:
        _check_length(self.length)

    @property
    def soft_length(self) -> int:
        """S, in positions that count as tokens."""
        return 0 if self.soft is None else len(self.soft)

    @property
    def length(self) -> int:
        """Number of prompt vectors."""
        return self.soft_length if self.deep is None else self.deep.shape[2]

    def arrays(self) -> list[Halves]:
        """The vectors that it has."""
        return [array for array in (self.deep, self.soft) if array is not None]


@dataclass(frozen=True, eq=False)
class DecoderPrompt:
    """Trained vectors of one grammar skill for the frozen decoder.

    own: (decoder layers, 2, P, H*K) keys and values before its tokens; memory: the same, beside the
    encoder's states.

    Raises:
        InputError: either has more than MAX_PROMPT_LENGTH vectors.
    """

    own: Floats
    memory: Floats

    def __post_init__(self) -> None:
        _check_length(max(self.length, self.memory.shape[2]))

    @property
    def length(self) -> int:
        """Number of vectors before the tokens."""
        return int(self.own.shape[2])


def _check_length(length: int) -> None:
    if length > MAX_PROMPT_LENGTH:
        raise InputError(f"its prompt has {length} vectors, at most {MAX_PROMPT_LENGTH} are allowed")


def stacked(prompts: Sequence[Halves]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the rows' (N, 2, P, H*K) vectors, padded to (B, N, 2, P, H*K), and their mask (B, P)."""
    lengths = np.array([prompt.shape[2] for prompt in prompts])
    layers, _, _, width = prompts[0].shape
    padded = np.zeros((len(prompts), layers, 2, lengths.max(), width), np.float32)
    for place, prompt in enumerate(prompts):
        widen_into(padded[place, :, :, : lengths[place]], prompt)
    return padded, np.arange(lengths.max()) < lengths[:, None]


@dataclass(frozen=True, eq=False)
class Row:
    """One (utterance, skill version) pair, ready for the encoder."""

    token_ids: tuple[int, ...]
    prompt: Prompt

    @property
    def length(self) -> int:
        """Positions that the encoder processes."""
        return len(self.token_ids) + self.prompt.soft_length
