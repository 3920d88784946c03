"""The engine of the decoder: new tokens of rows in a cache in, the likeliest next tokens out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from nlu.prompt import DecoderPrompt, Floats

Ints = NDArray[np.int64]

HEAD_TOKENS = 128  # whose scores are computed at a time: 16 MB in float32, always in the same place


@dataclass(frozen=True)
class CacheSize:
    """Up to so many rows; the positions of each, prompts included, for its own tokens and for its memory."""

    slots: int
    tokens: int
    memory: int


class Cache(Protocol):
    """Keys and values of rows, for their own tokens and for what the encoder said."""

    def put(self, slot: int, prompt: DecoderPrompt, states: Any) -> None:
        """Begin a row with its prompt, and the (N, 2, L, H*K) keys and values of the encoder's states."""

    def move(self, source: int, target: int) -> None:
        """Let a row sit in another slot."""


CacheT = TypeVar("CacheT", bound=Cache)


class DecoderEngine(ABC, Generic[CacheT]):
    """Verifies what is proposed to rows of any skills, in passes of the frozen decoder.

    Not thread-safe: one thread calls.
    """

    name: str

    def admit(
        self, cache: CacheT, slot: int, prompts: Sequence[DecoderPrompt], states: Sequence[Floats]
    ) -> None:
        """Begin rows in the slots from `slot` on: their prompts, and the encoder's (L, D) states of each."""
        memory = self.keys_and_values(np.concatenate(states))
        end = 0
        for place, (prompt, each) in enumerate(zip(prompts, states, strict=True), start=slot):
            start, end = end, end + len(each)
            cache.put(place, prompt, memory[:, :, start:end])

    @abstractmethod
    def cache(self, size: CacheSize) -> CacheT:
        """Return an empty cache for `admit` and `likeliest`."""

    @abstractmethod
    def keys_and_values(self, states: Floats) -> Any:
        """Return the (N, 2, L, H*K) keys and values of the encoder's (L, D) states, as the cache has them."""

    @abstractmethod
    def likeliest(self, cache: CacheT, token_ids: Ints, begin: Ints, counts: Ints) -> tuple[Ints, Floats]:
        """Read new tokens of the rows in the first slots, and write them into the cache.

        Args:
            cache: from `cache`.
            token_ids: (R,) of all rows, one after another.
            begin: (B,) position of each row's first one.
            counts: (B,) of each row, at least one.

        Returns:
            (R,) the likeliest next token after each, the first of equals, and (R,) its probability.
        """
