"""Subject and verb, number and noun that do not agree: "he go", "there is two", "two ticket"."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.lexicon import (
    ARTICLES,
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    NUMBERS,
    OBJECTS,
    PREPOSITIONS,
    PRONOUNS,
    THIRD_PERSON,
    forms,
)
from skills.corruption.sentence import Error, Sentence

_OTHER_FORM = {
    "is": ("are",), "are": ("is",), "was": ("were",), "were": ("was",), "am": ("is", "are"),
    "isn't": ("aren't",), "aren't": ("isn't",), "wasn't": ("weren't",), "weren't": ("wasn't",),
    "has": ("have",), "hasn't": ("haven't",), "haven't": ("hasn't",),
    "does": ("do",), "doesn't": ("don't",), "don't": ("doesn't",),
}  # fmt: skip
_DEMONSTRATIVE = {"these": "this", "those": "that"}
_PLURAL_CUES = NUMBERS | frozenset("these those many several few some both other all various".split())
_SINGULAR_CUES = frozenset("a an another each every one".split())
_BARE_AFTER = frozenset("for of like buy find watch get need want about see with have any more book".split())
# Clauses begin after these, so that a pronoun is a subject and what follows it a finite verb.
_BEFORE_SUBJECT = (
    CONJUNCTIONS | frozenset(", . ! ? ; what where how please yes no then as think".split()) | {""}
)
_UNCOUNTABLE = frozenset(
    "information advice news music furniture equipment luggage baggage homework money weather traffic "
    "evidence knowledge research software transportation work food help fun".split()
)
_IRREGULAR = {"people": "peoples", "children": "childrens", "women": "woman", "men": "mans"}


def propose(sentence: Sentence, _random: Random) -> Iterator[Error]:
    """Yield what can be made to disagree."""
    for place, word in enumerate(sentence.lower):
        yield from _auxiliary(sentence, place, word)
        yield from _verb(sentence, place, word)
        yield from _noun(sentence, place, word)


def _auxiliary(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    before, after = sentence.at(place - 1), sentence.at(place + 1)
    for other in _OTHER_FORM.get(word, ()):
        if not (word == "don't" and before not in PRONOUNS):  # "Don't go."
            yield sentence.replaced(place, other)
    if word == "do" and after in PRONOUNS:
        yield sentence.replaced(place, "does")
    if word == "have" and _is_subject(sentence, place - 1):
        yield sentence.replaced(place, "has")


def _verb(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    if word in AUXILIARIES:
        return
    found = sentence.tags(place)
    before, after = sentence.at(place - 1), sentence.at(place + 1)
    if "VBZ" in found and (before in THIRD_PERSON or _is_verb_after_noun(sentence, place, after)):
        yield sentence.replaced(place, forms(word)["VB"], weight=2.0)
    if "VB" in found and _is_subject(sentence, place - 1) and "VBZ" in forms(word):
        yield sentence.replaced(place, forms(word)["VBZ"])


def _is_subject(sentence: Sentence, place: int) -> bool:
    """Whether a word is a pronoun that a finite verb follows, other than of the third person."""
    return sentence.at(place) in ("i", "you", "we", "they") and sentence.at(place - 1) in _BEFORE_SUBJECT


def _is_verb_after_noun(sentence: Sentence, place: int, after: str) -> bool:
    before = sentence.tags(place - 1)
    follows = after in DETERMINERS | OBJECTS or after in ("to", "at", "on", "in")
    return (
        "NN" in before
        and "NNS" not in before
        and "JJ" not in before
        and follows
        and _has_subject(sentence, place)
    )


def _has_subject(sentence: Sentence, place: int) -> bool:
    """Whether a determiner and a noun begin the clause, as in "the movie starts"."""
    return sentence.at(place - 2) in DETERMINERS and sentence.at(place - 3) in _BEFORE_SUBJECT


def _noun(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    if word in _IRREGULAR:
        yield sentence.replaced(place, _IRREGULAR[word], weight=0.5)
    if word in _DEMONSTRATIVE and "NNS" in sentence.tags(place + 1):
        yield sentence.replaced(place, _DEMONSTRATIVE[word])
    found = sentence.tags(place)
    if word in _UNCOUNTABLE and not sentence.tags(place + 1) & {"NN", "NNS"}:
        yield sentence.replaced(place, f"{word}s", weight=0.7)
    elif "NNS" in found and "NN" not in found and _has_plural_cue(sentence, place):
        yield sentence.replaced(place, forms(word)["NN"], weight=2.0)
    elif "NN" in found and _has_singular_cue(sentence, place) and forms(word).get("NNS", word) != word:
        yield sentence.replaced(place, forms(word)["NNS"])


def _has_plural_cue(sentence: Sentence, place: int) -> bool:
    """Whether the singular would be wrong here."""
    cue = _cue(sentence, place)
    number = cue.isdecimal() and cue != "1"
    return cue in _PLURAL_CUES or number or sentence.at(place - 1) in _BARE_AFTER


def _has_singular_cue(sentence: Sentence, place: int) -> bool:
    after = sentence.at(place + 1)
    ends = not after.isalpha() or after in PREPOSITIONS | CONJUNCTIONS | ARTICLES
    return ends and _cue(sentence, place) in _SINGULAR_CUES


def _cue(sentence: Sentence, place: int) -> str:
    """Return the word before a noun, or before its adjective."""
    before = sentence.tags(place - 1)
    return sentence.at(place - 2 if "JJ" in before else place - 1)
