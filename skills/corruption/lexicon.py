"""English words and their forms, from lemminflect's lexicon; words that it does not know have none."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

PRONOUNS = frozenset("i you he she it we they".split())
THIRD_PERSON = frozenset("he she it this that which who everyone everything someone nobody".split())
OBJECTS = frozenset("me you him her it us them".split())
POSSESSIVES = frozenset("my your his her its our their".split())
ARTICLES = frozenset("a an the".split())
DETERMINERS = (
    ARTICLES | POSSESSIVES | frozenset("this that these those some any no every each another".split())
)
MODALS = frozenset(
    "can could will would shall should may might must cannot can't couldn't won't wouldn't".split()
)
DO = frozenset("do does did don't doesn't didn't".split())
BE = frozenset("am is are was were be been being i'm it's that's he's she's you're we're they're".split())
HAVE = frozenset("have has had haven't hasn't i've you've we've they've".split())
AUXILIARIES = MODALS | DO | BE | HAVE
PREPOSITIONS = frozenset(
    "in on at for to of from with about by into during until without before after near under over between "
    "than as around through per onto towards toward since within via against among".split()
)
CONJUNCTIONS = frozenset("and or but because if so when while that although though whether unless".split())
QUESTION_WORDS = frozenset("what where when who whom whose which why how".split())
NUMBERS = frozenset(
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty".split()
)
_OTHERS = frozenset(
    "not there here then yes no yeah ok okay bye hi hey oh thanks thank please sir ma'am o'clock one ones "
    "hundred thousand every everybody anybody somebody nothing anything something else th st nd rd am pm "
    "upon despite except gonna ourselves yourself myself himself herself itself themselves mine yours ours "
    "theirs hers let's both either neither such more most less least own same other others wifi info tv app "
    "apps online email cafe showtime showtimes website hello wow hmm ah vs alright anyway everyday each "
    "all oneway roundtrip redeye imax nope nah many dr shouldn't wasn't weren't isn't aren't hadn't "
    "mustn't".split()
)
FUNCTION_WORDS = (
    PRONOUNS | THIRD_PERSON | OBJECTS | DETERMINERS | AUXILIARIES | PREPOSITIONS | CONJUNCTIONS
    | QUESTION_WORDS | NUMBERS | _OTHERS
)  # fmt: skip


@lru_cache(maxsize=1 << 16)
def forms(word: str) -> dict[str, str]:
    """Return every form of a lower-case word by its Penn tag; of words of several kinds, all of them.

    The tags of other readings of the same word do not overwrite those of its first one.
    """
    lemminflect = _lemminflect()
    found: dict[str, str] = {}
    for kind, lemmas in lemminflect.getAllLemmas(word).items():
        for lemma in lemmas:
            inflections = lemminflect.getAllInflections(lemma, kind)
            if any(word in spellings for spellings in inflections.values()):
                for tag, spellings in inflections.items():
                    found.setdefault(tag, _spelling(word, spellings))
    return found


@lru_cache(maxsize=1 << 16)
def tags(word: str) -> frozenset[str]:
    """Return the Penn tags that a lower-case word can have; none for words of grammar, such as "the"."""
    if word in FUNCTION_WORDS:
        return frozenset()
    return frozenset(tag for tag, form in forms(word).items() if form == word)


def verb_form(word: str, tag: str) -> str:
    """Return the form of a verb, such as VBD, that belongs to any of its forms; "" if it is none."""
    return forms(word).get(tag, "")


def is_known(word: str) -> bool:
    """Whether a lower-case word is English."""
    return word in FUNCTION_WORDS or bool(forms(word))


def is_vowel_sound(word: str) -> bool:
    """Whether "an" goes before the word."""
    lower = word.lower()
    if lower.startswith(("hour", "honest", "honor", "heir", "mba", "sms", "rsvp")):
        return True
    return lower[:1] in set("aeiou8") and not lower.startswith(
        ("uni", "use", "usu", "eur", "one", "once", "ut")
    )


def _spelling(word: str, spellings: tuple[str, ...]) -> str:
    return word if word in spellings else spellings[0]


@lru_cache(maxsize=1)
def _lemminflect() -> Any:
    import lemminflect  # loads numpy, and spaCy where it is installed

    return lemminflect
