"""Verbs in a wrong form or without their auxiliary: "I did went", "she can to go", "I looking for"."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.lexicon import (
    AUXILIARIES,
    FUNCTION_WORDS,
    MODALS,
    PRONOUNS,
    THIRD_PERSON,
    forms,
    verb_form,
)
from skills.corruption.sentence import Error, Sentence

_DO = frozenset("do does did don't doesn't didn't".split())
_HAVE = frozenset("have has had haven't hasn't i've you've we've they've".split())
_BE = frozenset("am is are was were be been".split())
_SHORT_BE = {
    "i'm": "I", "it's": "it", "that's": "that", "he's": "he", "she's": "she", "you're": "you",
    "we're": "we", "they're": "they", "there's": "there", "what's": "what",
}  # fmt: skip
_SHORT_WILL = {"i'll": "I", "you'll": "you", "we'll": "we", "it'll": "it", "they'll": "they"}
_SHORT_WOULD = {"i'd": "I", "we'd": "we", "you'd": "you"}
_LET = frozenset("let make".split())
_BEFORE_TO = frozenset(
    "want need like have going love prefer able wanted try plan trying planning decided".split()
)
_BEFORE_GERUND = frozenset(
    "for of in about without by from on after before at enjoy mind finish keep".split()
)
_WITH_OBJECT = frozenset("like love enjoy want need try see watch make check do".split())
_PAST_CUES = frozenset("yesterday ago last was were did when".split())


def propose(sentence: Sentence, random: Random) -> Iterator[Error]:
    """Yield verbs to change, auxiliaries to drop or to add, and objects to drop."""
    for place, word in enumerate(sentence.lower):
        if word not in FUNCTION_WORDS and sentence.tags(place):
            yield from _wrong_form(sentence, place, word, random)
        yield from _without_auxiliary(sentence, place, word)
        yield from _superfluous(sentence, place, word)


def _wrong_form(sentence: Sentence, place: int, word: str, random: Random) -> Iterator[Error]:
    governor = _governor(sentence, place)
    found = sentence.tags(place)
    if "VB" in found and governor in MODALS | {"'ll"}:
        yield from _forms(sentence, place, random, "VBZ", "VBG", "VBD")
        yield sentence.inserted(place, "to", weight=0.4)
    elif "VB" in found and governor in _DO and not found & {"JJ", "RB"}:
        yield from _forms(sentence, place, random, "VBD", "VBZ", "VBG")
    elif "VB" in found and governor == "to" and sentence.at(place - 2) not in ("according", "similar"):
        yield from _forms(sentence, place, random, "VBG", "VBZ", "VBD")
    elif "VB" in found and sentence.at(place - 2) in _LET:
        yield sentence.inserted(place, "to", weight=0.5)
        yield from _forms(sentence, place, random, "VBZ", "VBG")
    elif "VBN" in found and governor in _HAVE:
        yield from _forms(sentence, place, random, "VB", "VBD", "VBG")
    elif "VBG" in found and governor in _BE:
        yield from _forms(sentence, place, random, "VB")
    elif "VBN" in found and governor in _BE and "JJ" not in found:
        yield from _forms(sentence, place, random, "VB", "VBG")
    elif "VBG" in found and governor in _BEFORE_GERUND and "NN" not in found:
        yield from _forms(sentence, place, random, "VB")
        yield sentence.replaced(place, f"to {verb_form(word, 'VB')}", weight=0.4)
    elif "VBD" in found and governor in PRONOUNS and _PAST_CUES & {*sentence.lower}:
        yield from _forms(sentence, place, random, "VB", "VBZ")


def _governor(sentence: Sentence, place: int) -> str:
    """Return the word that asks for a form of a verb: the one before, or across a subject or an adverb."""
    before = sentence.at(place - 1)
    if (before in PRONOUNS and sentence.at(place - 2) in AUXILIARIES) or before in (
        "not", "also", "just", "really", "already", "please", "ever", "still", "always",
    ):  # fmt: skip
        before = sentence.at(place - 2)
    if before in _SHORT_WILL or before in _SHORT_WOULD:
        return "'ll"
    return "is" if before in _SHORT_BE else before


def _forms(sentence: Sentence, place: int, random: Random, *tags: str) -> Iterator[Error]:
    """Yield the verb in one of these forms, unless they read the same."""
    word = sentence.at(place)
    others = [form for tag in tags if (form := verb_form(word, tag)) and form != word]
    if others:
        yield sentence.replaced(place, random.choice(others))


def _without_auxiliary(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    after = sentence.tags(place + 1)
    follows = sentence.at(place + 1)
    if word in _SHORT_BE and (follows.isalpha() and follows not in AUXILIARIES):
        yield sentence.replaced(place, _SHORT_BE[word], weight=0.7)
    elif word in _SHORT_WILL and "VB" in after:
        yield sentence.replaced(place, _SHORT_WILL[word], weight=0.3)
    elif word in _SHORT_WOULD and follows == "like":
        yield sentence.replaced(place, _SHORT_WOULD[word], weight=0.4)
    elif (
        word in ("is", "are", "am")
        and sentence.at(place - 1) in PRONOUNS | THIRD_PERSON
        and follows.isalpha()
    ):
        yield sentence.dropped(place, weight=0.7)
    elif word == "to" and "VB" in after and sentence.at(place - 1) in _BEFORE_TO:
        yield sentence.dropped(place, weight=1.2)
    elif word in ("do", "does", "did") and sentence.at(place - 1) in ("what", "where", "when", "how", "why"):
        yield sentence.dropped(place, weight=0.8)
    elif word == "it" and sentence.at(place - 1) in _WITH_OBJECT and not follows.isalnum():
        yield sentence.dropped(place, weight=0.5)
    elif word in ("be", "been") and sentence.at(place - 1) in MODALS | _HAVE:
        yield sentence.dropped(place, weight=0.7)


def _superfluous(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    """Yield "I am agree", "it is depends": an auxiliary that the verb does not take."""
    found = sentence.tags(place)
    before, earlier = sentence.at(place - 1), sentence.at(place - 2)
    clause = earlier in ("", ".", ",", "?", "!", "and", "but", "so", "because")
    if before in ("i", "we", "they") and clause and "VB" in found and word not in FUNCTION_WORDS:
        yield sentence.inserted(place, "am" if before == "i" else "are", weight=0.3)
    elif before in ("it", "he", "she", "that") and clause and "VBZ" in found and forms(word).get("VB"):
        yield sentence.inserted(place, "is", weight=0.3)
