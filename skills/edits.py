"""What turns a text into its correction: replacements of whole words, marks and white space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import regex
from rapidfuzz.distance import Levenshtein

# A grapheme cluster is never cut; clusters that begin with a letter or digit make words, such as "don't",
# "1,000.50" and "well". `\X` after a look-ahead takes the whole cluster with its marks.
_TOKEN = regex.compile(
    r"""
    \s+(?!\p{M})
  | (?:(?=\w)\X)+ (?:(?:(?<=\d)[.,:](?=\d)|['’](?=\p{L})) (?:(?=\w)\X)+)*
  | \X
    """,
    regex.VERBOSE,
)


@dataclass(frozen=True)
class Edit:
    """`text[start:end]`, in code points, becomes `replacement`; confidence: that it should, [0, 1]."""

    start: int
    end: int
    replacement: str
    confidence: float = 1.0


@dataclass(frozen=True)
class _Change:
    """Tokens [start, end) of the text become tokens [first, last) of the correction."""

    start: int
    end: int
    first: int
    last: int


def edits_between(text: str, corrected: str) -> tuple[Edit, ...]:
    """Return the fewest changes of words that turn one text into the other; ascending, never overlapping.

    Words that changed places are one edit. What was inserted or deleted takes the white space after it along.
    """
    if text == corrected:
        return ()
    old, new = _tokens(text), _tokens(corrected)
    places = [0, *accumulate(map(len, old))]
    return tuple(
        Edit(places[each.start], places[each.end], "".join(new[each.first : each.last]))
        for each in _merged(old, new, _changes(old, new))
    )


def apply_edits(text: str, edits: Sequence[Edit]) -> str:
    """Return the text with all edits made; they are ascending and do not overlap."""
    parts, position = [], 0
    for edit in edits:
        parts += [text[position : edit.start], edit.replacement]
        position = edit.end
    return "".join([*parts, text[position:]])


def map_span_back(edits: Sequence[Edit], start: int, end: int) -> tuple[int, int]:
    """Return the span of the original text that became `corrected[start:end]`.

    A span that has part of a replacement gets all of what was replaced. One that lies in inserted text is
    empty, where the text was inserted.
    """
    back = _start_before(edits, start), _end_before(edits, end)
    return min(back), max(back)


def _tokens(text: str) -> list[str]:
    return [match.group() for match in _TOKEN.finditer(text)]


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[_Change]:
    """Yield runs of changed tokens."""
    pending: _Change | None = None
    for step in Levenshtein.opcodes(old, new):
        if step.tag == "equal":
            if pending:
                yield _slid(old, new, pending, step.src_end)
            pending = None
        elif pending:
            pending = _Change(pending.start, step.src_end, pending.first, step.dest_end)
        else:
            pending = _Change(step.src_start, step.src_end, step.dest_start, step.dest_end)
    if pending:
        yield pending


def _slid(old: Sequence[str], new: Sequence[str], change: _Change, limit: int) -> _Change:
    """Move white space from the front to the end of what was only inserted or only deleted.

    " a" before " b" is "a " before "b"; without it, the space between would be part of an edit at its left.
    """
    start, end, first, last = change.start, change.end, change.first, change.last
    tokens, at = (new, first) if start == end else (old, start)
    only_one = start == end or first == last
    if only_one and end < limit and tokens[at].isspace() and tokens[at] == old[end]:
        return _Change(start + 1, end + 1, first + 1, last + 1)
    return change


def _merged(old: Sequence[str], new: Sequence[str], changes: Iterator[_Change]) -> Iterator[_Change]:
    """Yield changes, words that changed places as one."""
    before: _Change | None = None
    for change in changes:
        if before and _swapped(old, new, before, change):
            before = _Change(before.start, change.end, before.first, change.last)
            continue
        if before:
            yield before
        before = change
    if before:
        yield before


def _swapped(old: Sequence[str], new: Sequence[str], before: _Change, change: _Change) -> bool:
    """Whether two changes, a word or two apart, only put the same words in another order."""
    if change.start - before.end > 3:
        return False
    one = [token.casefold() for token in old[before.start : change.end] if not token.isspace()]
    other = [token.casefold() for token in new[before.first : change.last] if not token.isspace()]
    return one != other and sorted(one) == sorted(other)


def _start_before(edits: Sequence[Edit], position: int) -> int:
    moved = 0  # how much further on the corrected text is
    for edit in edits:
        begin = edit.start + moved
        if position < begin:
            break
        if position < begin + len(edit.replacement):
            return edit.start
        moved += len(edit.replacement) - (edit.end - edit.start)
    return position - moved


def _end_before(edits: Sequence[Edit], position: int) -> int:
    moved = 0
    for edit in edits:
        begin = edit.start + moved
        if position <= begin:
            break
        if position <= begin + len(edit.replacement):
            return edit.end
        moved += len(edit.replacement) - (edit.end - edit.start)
    return position - moved
