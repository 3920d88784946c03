"""Words in the wrong order: "Where I can find it?", "a restaurant good", "I want always"."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.lexicon import (
    AUXILIARIES,
    DETERMINERS,
    NUMBERS,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    QUESTION_WORDS,
)
from skills.corruption.sentence import Error, Sentence

_ADVERBS = frozenset(
    "always never also really usually often just already still ever even only probably".split()
)
_BEFORE_NOUN = frozenset("nice good great cheap new other different expensive famous big small".split())
_LONGEST_SUBJECT = 4  # words


def propose(sentence: Sentence, _random: Random) -> Iterator[Error]:
    """Yield what can change places."""
    for place, word in enumerate(sentence.lower):
        if word in AUXILIARIES and sentence.at(place - 1) in QUESTION_WORDS:
            yield from _inverted(sentence, place)
        if word in ("is", "are") and sentence.at(place - 1) not in QUESTION_WORDS:
            yield from _embedded(sentence, place)
        if word in _ADVERBS and sentence.tags(place + 1) & {"VB", "VBD", "VBZ", "VBN"}:
            yield sentence.reordered(place, place + 1, place + 2)
        if _is_adjective(sentence, place) and _is_noun(sentence, place + 1):
            yield sentence.reordered(place, place + 1, place + 2, weight=0.7)
        if word in NUMBERS and _is_noun(sentence, place + 1) and not sentence.words[place].begins:
            yield sentence.reordered(place, place + 1, place + 2, weight=0.2)
        if word in ("anything", "something", "nothing", "what") and sentence.at(place + 1) == "else":
            yield sentence.reordered(place, place + 1, place + 2, weight=0.5)
        if word in ("it", "them", "me") and sentence.at(place + 1) in ("up", "out", "off", "down", "back"):
            yield sentence.reordered(place, place + 1, place + 2)


def _inverted(sentence: Sentence, place: int) -> Iterator[Error]:
    """Yield "Where I can …" for "Where can I …", and "What the address is?" for "What is the address?"."""
    if sentence.at(place + 1) in PRONOUNS:
        yield sentence.reordered(place, place + 1, place + 2, weight=2.5)
        return
    end = next((at for at in range(place + 1, len(sentence)) if sentence.at(at) == "?"), 0)
    subject = range(place + 1, end)
    if (
        sentence.at(place) in ("is", "are", "was", "were")
        and 1 < len(subject) <= _LONGEST_SUBJECT
        and sentence.at(place + 1) in DETERMINERS
        and not any(sentence.at(at) in PREPOSITIONS for at in subject)
    ):
        yield sentence.reordered(place, place + 1, end, weight=1.5)


def _embedded(sentence: Sentence, place: int) -> Iterator[Error]:
    """Yield "tell me what is the address" for "tell me what the address is"."""
    first = place - 1
    while first >= 0 and place - first <= _LONGEST_SUBJECT and sentence.at(first) not in QUESTION_WORDS:
        first -= 1
    asked = sentence.at(first) in QUESTION_WORDS and not sentence.words[max(first, 0)].begins
    subject = sentence.at(first + 1)
    if asked and (subject in DETERMINERS | POSSESSIVES | {"it", "they"}):
        yield sentence.reordered(first + 1, place, place + 1, weight=2.5)


def _is_adjective(sentence: Sentence, place: int) -> bool:
    found = sentence.tags(place)
    return sentence.at(place) in _BEFORE_NOUN or (
        "JJ" in found and not found & {"NN", "VB", "VBG", "VBN", "RB"}
    )


def _is_noun(sentence: Sentence, place: int) -> bool:
    return bool(sentence.tags(place) & {"NN", "NNS"}) and not sentence.tags(place + 1) & {"NN", "NNS"}
