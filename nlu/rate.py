"""A token bucket (Turner 1986): so many requests a second on average, and a second's worth at once."""

from __future__ import annotations

import time
from collections.abc import Callable

ROUNDING = 1e-6  # tokens; who waits as long as told must not be short of a rounding error


class TokenBucket:
    """Fills with `rate` tokens a second, up to a second's worth, though at least one. For one thread."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._size = max(rate, 1.0)
        self._tokens = self._size
        self._filled = clock()

    def take(self) -> float:
        """Take a token if there is one, and return 0; else return in how many seconds there will be one."""
        now = self._clock()
        self._tokens = min(self._size, self._tokens + self._rate * (now - self._filled))
        self._filled = now
        if self._tokens < 1.0 - ROUNDING:
            return (1.0 - self._tokens) / self._rate
        self._tokens -= 1.0
        return 0.0

    def owe(self, tokens: int) -> None:
        """Take tokens that may not be there yet: a batch goes whole, and what comes after it waits longer."""
        self._tokens -= tokens
