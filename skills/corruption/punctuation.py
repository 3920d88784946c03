"""Marks, apostrophes, hyphens and white space that are missing, wrong or too many."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.sentence import Error, Sentence
from skills.edits import Edit

# After these at the beginning, a comma is not a matter of taste.
_OPENERS = frozenset(
    "yes no yeah yep nope okay ok sure thanks thank well hi hello hey oh sorry great good perfect "
    "alright right please actually however also so now first then finally nice cool fine awesome "
    "wow you it bye".split()
)
_NEVER_AFTER_COMMA = frozenset("that because to with for in".split())


def propose(sentence: Sentence, random: Random) -> Iterator[Error]:
    """Yield what can be wrong between the words, and within them."""
    yield from _final(sentence)
    for place, word in enumerate(sentence.lower):
        if word == ",":
            yield from _comma(sentence, place)
        elif word in (".", "?", "!"):
            yield from _end(sentence, place, random)
        elif word == "-":
            yield from _hyphen(sentence, place, random)
        elif word in _NEVER_AFTER_COMMA and sentence.at(place - 1).isalpha():
            before = sentence.words[place - 1].end
            yield Error((Edit(before, before, ","),), 0.12)
    yield from _apostrophes(sentence, random)
    yield from _spaces(sentence, random)


def _final(sentence: Sentence) -> Iterator[Error]:
    last = sentence.words[-1]
    if last.text in (".", "?", "!") and len(sentence) > 1 and sentence.at(len(sentence) - 2) not in ".?!":
        yield Error((Edit(last.start, last.end, ""),), 6.0)
        if last.text == "?":
            yield Error((Edit(last.start, last.end, "."),), 1.5)


def _comma(sentence: Sentence, place: int) -> Iterator[Error]:
    word = sentence.words[place]
    after = sentence.at(place + 1)
    opens = place == 1 or sentence.words[max(place - 1, 0)].begins
    sure = (opens and sentence.at(place - 1) in _OPENERS) or after in ("but", "please", "right", "too")
    yield Error((Edit(word.start, word.end, ""),), 2.0 if sure else 0.3)
    if place + 1 < len(sentence):
        start = sentence.words[place + 1].start
        yield Error((Edit(word.end, start, ""),), 0.4)
        yield Error((Edit(word.start, start, " ,"),), 0.2)


def _end(sentence: Sentence, place: int, random: Random) -> Iterator[Error]:
    """Yield sentences that run into each other, and a mark that stands off or touches what follows."""
    word = sentence.words[place]
    yield Error((Edit(word.start, word.start, " "),), 0.4)
    if place + 1 == len(sentence) or not sentence.words[place + 1].text[0].isalpha():
        return
    after = sentence.words[place + 1]
    yield Error((Edit(word.end, after.start, ""),), 0.4)
    if word.text == ".":
        small = after.text[0] if sentence.at(place + 1).partition("'")[0] == "i" else after.text[0].lower()
        joined = random.choice((f", {small}", f", {after.text[0]}", f" {small}", f" {after.text[0]}"))
        yield Error((Edit(word.start, after.start + 1, joined),), 1.5)


def _hyphen(sentence: Sentence, place: int, random: Random) -> Iterator[Error]:
    word = sentence.words[place]
    inside = sentence.text[max(word.start - 1, 0) : word.start] + sentence.text[word.end : word.end + 1]
    if len(inside) == 2 and inside.isalpha():
        yield Error((Edit(word.start, word.end, random.choice((" ", ""))),), 0.6)


def _apostrophes(sentence: Sentence, random: Random) -> Iterator[Error]:
    found = [
        Edit(at, at + 1, "")
        for word in sentence.words
        for at in (word.start + place for place, letter in enumerate(word.text) if letter in "'’")
        if len(word.text) > 1
    ]
    if found:
        yield Error(tuple(found), 6.0)
        one = random.choice(found)
        misplaced = (Edit(one.start - 1, one.end, "'" + sentence.text[one.start - 1]),)
        yield Error(misplaced, 0.15)
    if len(found) > 1:
        yield Error((random.choice(found),), 1.0)


def _spaces(sentence: Sentence, random: Random) -> Iterator[Error]:
    spaces = [at for at, character in enumerate(sentence.text) if character == " "]
    if spaces:
        at = random.choice(spaces)
        yield Error((Edit(at, at + 1, "  "),), 0.3)
        between = random.choice(spaces)
        if sentence.text[between - 1].islower() and sentence.text[between + 1 : between + 2].islower():
            yield Error((Edit(between, between + 1, ""),), 0.15)
