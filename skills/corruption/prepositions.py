"""Prepositions that are wrong, missing or too many: "on Paris", "listen music", "discuss about"."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.lexicon import BE, NUMBERS, OBJECTS, PREPOSITIONS
from skills.corruption.sentence import Error, Sentence

_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_MONTHS = frozenset(
    "january february march april may june july august september october november december".split()
)
_PARTS = frozenset("morning afternoon evening".split())
_HOURS = frozenset("noon midnight quarter half".split()) | NUMBERS

# What learners write for a preposition before a clock time, a day, and so on.
_WRONG: dict[tuple[str, str], tuple[str, ...]] = {
    ("at", "hour"): ("in", "on"), ("on", "day"): ("in", "at"), ("in", "month"): ("on", "at"),
    ("in", "part"): ("at", "on"), ("in", "name"): ("on", "at"), ("to", "name"): ("in", "at"),
    ("from", "name"): ("of",), ("for", "number"): ("to", "of"), ("on", "ordinal"): ("in", "at"),
    ("with", "object"): ("by",), ("for", "object"): ("to",),
}  # fmt: skip
_AT_ALL_TIMES = {
    "of": ("for", "from", "in"), "during": ("in",), "until": ("to",), 
    "into": ("in", "to"), "without": ("with no",), "since": ("from",), "between": ("among",),
}  # fmt: skip
# Words that ask for one preposition; "" is none.
_GOVERNED: dict[tuple[str, str], tuple[str, ...]] = {
    ("interested", "in"): ("on", "about", "at"), ("depend", "on"): ("of", "from", "in"),
    ("based", "on"): ("in",), ("listen", "to"): ("", "at"), ("listening", "to"): ("",),
    ("looking", "for"): ("", "to"), ("look", "for"): ("",), ("search", "for"): ("",),
    ("searching", "for"): ("",), ("wait", "for"): ("", "to"), ("waiting", "for"): ("",),
    ("thanks", "for"): ("to", "of"), ("you", "for"): ("to",), ("good", "at"): ("in", "on"),
    ("pay", "for"): ("", "of"), ("similar", "to"): ("with", "as", "of"),
    ("different", "from"): ("of", "than"), ("worried", "about"): ("for", "of"),
    ("know", "about"): ("of", "on"), ("think", "about"): ("on",), ("arrive", "at"): ("to", "in"),
    ("arrive", "in"): ("to",), ("tired", "of"): ("from",), ("afraid", "of"): ("from", "about"),
    ("full", "of"): ("with",), ("located", "in"): ("at", "on"), ("located", "at"): ("on",),
    ("kind", "of"): ("",), ("lot", "of"): ("",), ("lots", "of"): ("",), ("type", "of"): ("",),
    ("because", "of"): ("",), ("instead", "of"): ("",), ("out", "of"): ("from", ""),
    ("reservation", "for"): ("to",), ("table", "for"): ("to", "of"), ("ticket", "to"): ("for to", "of"),
    ("tickets", "to"): ("of",), ("go", "to"): ("", "in"), ("going", "to"): ("",), ("belong", "to"): ("",),
    ("according", "to"): ("",), ("married", "to"): ("with",), ("care", "of"): ("",),
    ("talk", "about"): ("of",), ("agree", "with"): ("to",), ("help", "with"): ("in",),
    ("ask", "for"): ("",), ("rid", "of"): ("",), ("known", "for"): ("by",), ("ready", "for"): ("to",),
    ("deal", "with"): ("",), ("come", "from"): ("of",), ("free", "of"): ("from",),
    ("price", "of"): ("for",),
}  # fmt: skip
_SUPERFLUOUS = {
    "discuss": "about", "contact": "with", "call": "to", "visit": "to", "reach": "to", "enter": "to",
    "tell": "to", "ask": "to", "request": "for", "answer": "to", "join": "to", "attend": "to",
    "leave": "from", "help": "to", "near": "to", "attending": "to", "visiting": "to",
}  # fmt: skip
_BARE_TIMES = {
    "tomorrow": "on",
    "today": "on",
    "tonight": "in",
    "yesterday": "on",
    "there": "to",
    "home": "to",
}
_FIXED = {
    ("in", "advance"): ("on",), ("at", "least"): ("in",), ("at", "night"): ("in", "on"),
    ("at", "home"): ("in",), ("on", "vacation"): ("in", "at"), ("on", "time"): ("at",),
    ("for", "example"): ("by",), ("at", "all"): ("in",), ("by", "bus"): ("with", "in"),
    ("by", "car"): ("with",), ("by", "train"): ("with",), ("on", "foot"): ("by",),
    ("in", "general"): ("on",), ("of", "course"): ("off",), ("at", "work"): ("in",),
    ("on", "weekends"): ("in",), ("for", "now"): ("by",), ("in", "mind"): ("on",), ("on", "sale"): ("in",),
}  # fmt: skip


def propose(sentence: Sentence, _random: Random) -> Iterator[Error]:
    """Yield prepositions to change or drop, and places for superfluous ones."""
    for place, word in enumerate(sentence.lower):
        if word in PREPOSITIONS:
            yield from _wrong(sentence, place, word)
        if not place:
            continue
        extra = _SUPERFLUOUS.get(sentence.at(place - 1), "")
        if extra and (word in OBJECTS or word in ("the", "my", "this", "that")):
            yield sentence.inserted(place, extra, weight=0.4)
        if word in _BARE_TIMES and sentence.at(place - 1) not in PREPOSITIONS | BE:
            yield sentence.inserted(place, _BARE_TIMES[word], weight=0.25)
        if word == "next" and sentence.at(place - 1) not in PREPOSITIONS | {"the", ","}:
            yield sentence.inserted(place, "in", weight=0.3)


def _wrong(sentence: Sentence, place: int, word: str) -> Iterator[Error]:
    before, after = sentence.at(place - 1), sentence.at(place + 1)
    kind = _kind(sentence, place + 1)
    wrong = (
        _GOVERNED.get((before, word), ())
        or _FIXED.get((word, after), ())
        or _WRONG.get((word, kind), ())
        or _AT_ALL_TIMES.get(word, ())
    )
    for other in wrong:
        if other:
            yield sentence.replaced(place, other, weight=1.0 / len(wrong))
        elif not sentence.words[place].begins:
            yield sentence.dropped(place)
    if kind in ("hour", "name", "part", "month") and word in ("at", "in", "to", "from") and place:
        yield sentence.dropped(place, weight=0.5)


def _kind(sentence: Sentence, place: int) -> str:
    """Return what a preposition stands before; "" if it does not matter."""
    word = sentence.at(place)
    if word == "the":
        after = sentence.at(place + 1)
        return "part" if after in _PARTS else "ordinal" if after[:1].isdigit() else ""
    if word in _DAYS:
        return "day"
    if word in _MONTHS and sentence.is_name(place):
        return "month"
    if word in OBJECTS:
        return "object"
    if sentence.at(place - 1) == "at":
        return "hour" if word in _HOURS or word[:1].isdigit() else ""
    if word in NUMBERS or word.isdecimal():
        return "number"
    return "name" if sentence.is_name(place) else ""
