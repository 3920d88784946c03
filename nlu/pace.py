"""How fast a batcher gets on, and so how much work may be ahead of a row that somebody waits for.

A bound in seconds would be wrong on every machine but one. What a row takes alone is what callers of an
unloaded server see, so the bound is a multiple of that: a small one while the batcher never gets to the end
of its queue, as nothing is won by waiting then, and a larger one for bursts (controlled delay: Nichols and
Jacobson 2012).
"""

from __future__ import annotations

from collections.abc import Sequence

ALONE = 2.5  # times what a row takes alone may be ahead: 99 % are then answered in five times their time
LIGHT = 2.5  # times as much, before those of whom less waits than of others: two at once are no overload
BURST = 8.0  # times as much, where the queue was empty lately: a burst is over soon
BURST_SECONDS = 0.5  # that is lately

TOKEN_SECONDS = 0.001  # that a token is thought to take before any was processed
ALONE_SECONDS = 0.01  # that a row is thought to take alone
WEIGHT = 0.1  # of the last batch in the moving averages


class Pace:
    """Moving averages of a batcher's times, and what follows. Not thread-safe.

    bound: seconds of work that may be ahead at most; 0 for the multiple of what a row takes alone.
    """

    def __init__(self, bound: float = 0.0) -> None:
        self._bound = bound
        self._token = TOKEN_SECONDS
        self._alone = ALONE_SECONDS
        self._free_at = 0.0
        self._paused_at = float("-inf")

    def seconds(self, tokens: float) -> float:
        """Return how long so many tokens take in batches."""
        return tokens * self._token

    def allowed(self, now: float, *, light: bool = False) -> float:
        """Return how many seconds of work may be ahead of a row; `light` if less waits than of others."""
        burst = now - self._paused_at < BURST_SECONDS
        usual = self._bound or self._alone * ALONE * (BURST if burst else 1.0)
        return usual * (LIGHT if light else 1.0)

    def rest(self, now: float) -> float:
        """Return how many seconds the batch that is under way should still take."""
        return max(0.0, self._free_at - now)

    def paused(self, now: float) -> None:
        """Take note that nothing was left to do until now."""
        self._paused_at = now

    def begin(self, now: float, lengths: Sequence[int]) -> None:
        """Take note that a batch begins, of rows of so many tokens."""
        self._free_at = now + self.seconds(sum(lengths))

    def end(self, seconds: float, lengths: Sequence[int]) -> None:
        """Take note of what it took."""
        self._token = _moved(self._token, seconds / max(1, sum(lengths)))
        if len(lengths) == 1:
            self._alone = _moved(self._alone, seconds)


def _moved(average: float, seconds: float) -> float:
    """Return the average with one more value in it; one that was very long is no rule."""
    return average + WEIGHT * (min(seconds, 2 * average) - average)
