"""Which tokens to propose next when a correction mostly repeats its source."""

from __future__ import annotations

from collections.abc import Sequence

WINDOW = 6  # source tokens that an edit may skip before the draft gives up on finding its place again
UNSURE = 3  # while it is lost, it proposes fewer tokens by this factor: most would be read in vain


class Draft:
    """Walks along the source while the decoder follows it, and finds the place again after it departed.

    Drafts never change what is decoded, only how many steps it takes (Sun et al. 2021, "Instantaneous
    Grammatical Error Correction with Shallow Aggressive Decoding").
    """

    def __init__(self, source: Sequence[int]) -> None:
        self._source = tuple(source)
        self._anchor = 0  # all of the source before it is dealt with
        self._departed = 0  # tokens decoded since the decoder left the source

    def propose(self, most: int) -> tuple[int, ...]:
        """Return at most so many source tokens that the decoder may say next; the first are the likeliest."""
        start = self._guess()
        length = -(-most // UNSURE) if self._departed else most
        return self._source[start : start + length]

    def accept(self, count: int, decoded: int) -> None:
        """Take note that `count` of the proposed tokens were right, and what was decoded after them."""
        if count or not self._departed:
            self._anchor, self._departed = self._guess() + count, 0
        window = self._source[self._anchor : self._anchor + WINDOW]
        if decoded in window:
            self._anchor, self._departed = self._anchor + window.index(decoded) + 1, 0
        else:
            self._departed += 1

    def _guess(self) -> int:
        """Each token that departs probably stands for one of the source."""
        return min(self._anchor + self._departed, max(len(self._source) - 1, self._anchor))
