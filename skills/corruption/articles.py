"""Articles that are missing, wrong or too many."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.lexicon import DETERMINERS, FUNCTION_WORDS, POSSESSIVES, PREPOSITIONS, is_vowel_sound
from skills.corruption.sentence import Error, Sentence

_NEEDS_THE = frozenset(
    "same first best only rest most last end beginning internet world morning afternoon evening".split()
)
_UNCOUNTABLE = frozenset(
    "information advice news music furniture luggage money weather traffic transportation help fun".split()
)
_BEFORE_BARE = PREPOSITIONS | frozenset("find get need want like play have is are see any".split())
_BARE = frozenset("home bed noon lunch dinner breakfast vacation school tomorrow today tonight next".split())


def propose(sentence: Sentence, _random: Random) -> Iterator[Error]:
    """Yield articles to drop, to change, and places for superfluous ones."""
    for place, word in enumerate(sentence.lower):
        if word in ("a", "an"):
            yield from _indefinite(sentence, place, word)
        elif word == "the":
            yield from _definite(sentence, place)
        elif place and sentence.at(place - 1) not in DETERMINERS:
            yield from _superfluous(sentence, place, word)


def _indefinite(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    if sentence.at(place + 1) in ("few", "little"):
        return
    yield sentence.replaced(place, "a" if word == "an" else "an", weight=0.8)
    yield sentence.dropped(place, weight=3.0)


def _definite(sentence: Sentence, place: int) -> Iterator[Error]:
    after = sentence.at(place + 1)
    noun = _noun_after(sentence, place)
    if after in _NEEDS_THE or (noun and _is_singular(sentence, noun)):
        yield sentence.dropped(place, weight=2.0)
    if after in ("same", "first", "best", "only", "rest"):
        yield sentence.replaced(place, "a", weight=0.5)
    elif noun and _is_plural(sentence, noun):
        yield sentence.replaced(place, "an" if is_vowel_sound(after) else "a", weight=0.6)


def _superfluous(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    before = sentence.at(place - 1)
    if not before.isalpha() or not word.isalpha():
        return
    if sentence.is_name(place) and before in FUNCTION_WORDS:
        yield sentence.inserted(place, "the", weight=0.4)
    elif word in _BARE or word in POSSESSIVES:
        yield sentence.inserted(place, "the", weight=0.3)
    elif before in _BEFORE_BARE and (word in _UNCOUNTABLE or _is_plural(sentence, place)):
        yield sentence.inserted(place, "an" if is_vowel_sound(word) else "a", weight=0.5)


def _noun_after(sentence: Sentence, place: int) -> int:
    """Return where the noun of an article is, if it is sure; 0 otherwise."""
    for at in range(place + 1, min(place + 4, len(sentence))):
        found = sentence.tags(at)
        if sentence.at(at) in FUNCTION_WORDS or not found:
            return 0
        last = at + 1 == len(sentence) or not (sentence.tags(at + 1) & {"NN", "NNS"})
        if found & {"NN", "NNS"} and last:
            return at
    return 0


def _is_plural(sentence: Sentence, place: int) -> bool:
    found = sentence.tags(place)
    return "NNS" in found and "NN" not in found and "VBZ" not in found


def _is_singular(sentence: Sentence, place: int) -> bool:
    found = sentence.tags(place)
    return "NN" in found and "NNS" not in found
