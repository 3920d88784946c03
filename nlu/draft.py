"""Which tokens to propose next when a correction mostly repeats its source."""

from __future__ import annotations

from collections.abc import Sequence

WINDOW = 6  # source tokens that an edit may skip before the draft gives up on finding its place again
UNSURE = 6  # while it is lost, it proposes fewer tokens by this factor: most would be read in vain
REPEATED = 3  # tokens that were decoded before in this order: what followed them may follow again


class Draft:
    """Walks along the source while the decoder follows it, and finds the place again after it departed.

    Greedy decoding sometimes falls into repeating itself, up to the limit; then it proposes the repetition.
    Drafts never change what is decoded, only how many steps it takes (Sun et al. 2021, "Instantaneous
    Grammatical Error Correction with Shallow Aggressive Decoding").
    """

    def __init__(self, source: Sequence[int]) -> None:
        self._source = tuple(source)
        self._decoded: list[int] = []
        self._proposed: tuple[int, ...] = ()
        self._repeats = False  # whether the proposal is not of the source
        self._anchor = 0  # all of the source before it is dealt with
        self._departed = 0  # tokens decoded since the decoder left the source

    def propose(self, most: int) -> tuple[int, ...]:
        """Return at most so many tokens that the decoder may say next; the first are the likeliest."""
        start = self._guess()
        length = -(-most // UNSURE) if self._departed else most
        repeated = self._repetition(most) if self._departed > 1 else ()
        self._repeats = bool(repeated)
        self._proposed = repeated or self._source[start : start + length]
        return self._proposed

    def accept(self, count: int, decoded: int) -> None:
        """Take note that `count` of the proposed tokens were right, and what was decoded after them."""
        self._decoded += [*self._proposed[:count], decoded]
        if self._repeats:
            self._departed += count
        elif count or not self._departed:
            self._anchor, self._departed = self._guess() + count, 0
        window = self._source[self._anchor : self._anchor + WINDOW]
        if decoded in window:
            self._anchor, self._departed = self._anchor + window.index(decoded) + 1, 0
        else:
            self._departed += 1

    def _guess(self) -> int:
        """Each token that departs probably stands for one of the source."""
        return min(self._anchor + self._departed, max(len(self._source) - 1, self._anchor))

    def _repetition(self, most: int) -> tuple[int, ...]:
        """Return at most so many tokens that followed when the last ones were decoded before."""
        last = self._decoded[-REPEATED:]
        for end in range(len(self._decoded) - 1, REPEATED - 1, -1):
            if self._decoded[end - REPEATED : end] == last:
                return tuple(self._decoded[end : end + most])
        return ()
