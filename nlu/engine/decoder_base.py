"""The engine of the decoder: new tokens of rows in a cache in, the likeliest next tokens out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from nlu.decoder_cache import CacheSize, DecoderCache, Ints
from nlu.prompt import Floats

HEAD_TOKENS = 128  # whose scores are computed at a time: 16 MB in float32, always in the same place


class DecoderEngine(ABC):
    """Verifies what is proposed to rows of any skills, in passes of the frozen decoder.

    Not thread-safe: one thread calls.
    """

    name: str

    @abstractmethod
    def cache(self, size: CacheSize) -> DecoderCache:
        """Return an empty cache for `likeliest`."""

    @abstractmethod
    def keys_and_values(self, states: Floats) -> Tensor:
        """Return the (N, 2, L, H*K) keys and values of the encoder's (L, D) states."""

    @abstractmethod
    def likeliest(
        self, cache: DecoderCache, token_ids: Ints, begin: Ints, counts: Ints
    ) -> tuple[Ints, Floats]:
        """Read new tokens of the rows in the first slots, and write them into the cache.

        Args:
            cache: from `cache`.
            token_ids: (R,) of all rows, one after another.
            begin: (B,) position of each row's first one.
            counts: (B,) of each row, at least one.

        Returns:
            (R,) the likeliest next token after each, the first of equals, and (R,) its probability.
        """
