"""A correct sentence taken apart, and the ways to change it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from skills.corruption.lexicon import tags
from skills.edits import Edit

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|\d(?:[\w.,:]*\w)?|[^\w\s]|_")
_ENDS = frozenset(".?!")


@dataclass(frozen=True)
class Word:
    """A word, a number or a mark: `text[start:end]` of the sentence."""

    text: str
    start: int
    end: int
    begins: bool  # a sentence


@dataclass(frozen=True)
class Error:
    """A mistake to make: edits of the correct text, ascending; weight is how likely, against others."""

    edits: tuple[Edit, ...]
    weight: float = 1.0


class Sentence:
    """A text of one or several sentences, and its words; places of words count from 0."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = tuple(_words(text))
        self.lower = tuple(word.text.lower().replace("’", "'") for word in self.words)

    def __len__(self) -> int:
        return len(self.words)

    def at(self, place: int) -> str:
        """Return a word in lower case; "" before the first and after the last."""
        return self.lower[place] if 0 <= place < len(self.lower) else ""

    def is_name(self, place: int) -> bool:
        """Whether a word within a sentence has a capital."""
        if not 0 <= place < len(self.words):
            return False
        word = self.words[place]
        return not word.begins and word.text[0].isupper() and self.at(place).partition("'")[0] != "i"

    def tags(self, place: int) -> frozenset[str]:
        """Return the Penn tags that a word can have; none for names, words of grammar and beyond the ends."""
        return frozenset() if self.is_name(place) else tags(self.at(place))

    def replaced(self, place: int, replacement: str, *, weight: float = 1.0) -> Error:
        """Put something in the place of a word, with a capital if it has one."""
        word = self.words[place]
        if word.text[0].isupper() and (word.begins or self.is_name(place)):
            replacement = replacement[:1].upper() + replacement[1:]
        return Error((Edit(word.start, word.end, replacement),), weight)

    def dropped(self, place: int, *, weight: float = 1.0) -> Error:
        """Leave a word out; the next one begins the sentence if this one did."""
        word = self.words[place]
        if place + 1 == len(self.words):
            before = self.words[place - 1].end if place else word.start
            return Error((Edit(before, word.end, ""),), weight)
        after = self.words[place + 1]
        if word.begins and after.text[0].islower():
            return Error((Edit(word.start, after.start + 1, after.text[0].upper()),), weight)
        return Error((Edit(word.start, after.start, ""),), weight)

    def inserted(self, place: int, words: str, *, weight: float = 1.0) -> Error:
        """Put words before one that does not begin a sentence."""
        start = self.words[place].start
        return Error((Edit(start, start, f"{words} "),), weight)

    def reordered(self, first: int, middle: int, end: int, *, weight: float = 1.0) -> Error:
        """Put the words [middle, end) before the words [first, middle)."""
        words = self.words
        moved = self.text[words[middle].start : words[end - 1].end]
        rest = self.text[words[first].start : words[middle - 1].end]
        if words[first].begins:
            moved = moved[0].upper() + moved[1:]
            keeps = rest == "I" or rest.startswith(("I ", "I'"))
            rest = rest if keeps else rest[0].lower() + rest[1:]
        return Error((Edit(words[first].start, words[end - 1].end, f"{moved} {rest}"),), weight)


def _words(text: str) -> Iterable[Word]:
    begins = True
    for match in _WORD.finditer(text):
        word = match.group()
        yield Word(word, match.start(), match.end(), begins)
        begins = word in _ENDS or (begins and not word[0].isalnum())
