"""The units that slots are made of: words, small enough that the edges of a slot are exact."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from nlu.tokens import BLANK, Tokens

_OPENING, _CLOSING = frozenset("([{\"'"), frozenset(")]}\"'.,;:!?")
_BLANK, _LETTER, _DIGIT, _MARK = "blank", "letter", "digit", "mark"


@dataclass(frozen=True)
class Words:
    """The words of a text that its tokens cover: runs of letters, runs of digits, single other characters.

    spans: (start, end) of each word in code points; first: the place of its first token. Words that begin
    in the same token are one, without the punctuation at its edges: T5 reads "for 7." with a token "7.", and
    the slot is "7".
    """

    spans: tuple[tuple[int, int], ...]
    first: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.spans)


def words(text: str, tokens: Tokens) -> Words:
    """Return the words of a text; one that was cut off at the end is left out."""
    spans: list[tuple[int, int]] = []
    first: list[int] = []
    place = 0
    for start, end in _runs(text[: tokens.end + 1]):
        while place < len(tokens.offsets) and tokens.offsets[place][1] <= start:
            place += 1
        if place == len(tokens.offsets) or end > tokens.end:
            break
        if tokens.offsets[place][0] >= end:
            continue
        if first and first[-1] == place:
            spans[-1] = _joined(text, spans[-1], (start, end))
        else:
            spans.append((start, end))
            first.append(place)
    return Words(tuple(spans), tuple(first))


def _joined(text: str, word: tuple[int, int], more: tuple[int, int]) -> tuple[int, int]:
    """Return two words as one, but leave out punctuation that merely stands beside the other."""
    both = {text[word[1] - 1], text[more[0]]} <= _OPENING | _CLOSING
    if text[slice(*more)] in _CLOSING and not both:
        return word
    return more if text[slice(*word)] in _OPENING and not both else (word[0], more[1])


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of the words as they are written; marks belong to the word that they follow."""
    start, end, kind = 0, 0, _BLANK
    for position, character in enumerate(text):
        found = _kind(character)
        if found == _MARK and kind != _BLANK:
            end = position + 1
            continue
        if found == kind and kind in (_LETTER, _DIGIT):
            end = position + 1
            continue
        if kind != _BLANK:
            yield start, end
        start, end, kind = position, position + 1, found
    if kind != _BLANK:
        yield start, end


@lru_cache(maxsize=1 << 12)
def _kind(character: str) -> str:
    if BLANK.match(character):
        return _BLANK
    if character.isalpha():
        return _LETTER
    if character.isnumeric():
        return _DIGIT
    return _MARK if unicodedata.category(character).startswith("M") else character
