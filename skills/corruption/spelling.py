"""Typos, misspellings, homophones, and words written together or apart."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from skills.corruption.lexicon import is_known
from skills.corruption.misspellings import MISSPELLED, NEIGHBOURS, RULES
from skills.corruption.sentence import Error, Sentence
from skills.edits import Edit

_SHORTEST = 4  # letters of a word that gets a typo: in shorter ones nobody could tell which word it was
_TRIES = 3


def propose(sentence: Sentence, random: Random) -> Iterator[Error]:
    """Yield one misspelling of each word that has any."""
    for place, word in enumerate(sentence.lower):
        if sentence.is_name(place):
            continue
        if word in MISSPELLED:
            yield sentence.replaced(place, random.choice(MISSPELLED[word]), weight=1.2)
        yield from _joined(sentence, place, word, random)
        if len(word) >= _SHORTEST and word.isalpha() and word.isascii():
            wrong = _misspelled(word, random)
            if wrong:
                yield sentence.replaced(place, wrong, weight=min(len(word), 10) / 6)


def _joined(sentence: Sentence, place: int, word: str, random: Random) -> Iterator[Error]:
    pair = f"{word} {sentence.at(place + 1)}"
    if pair in MISSPELLED:
        first, second = sentence.words[place], sentence.words[place + 1]
        wrong = random.choice(MISSPELLED[pair])
        if first.text[0].isupper():
            wrong = wrong[0].upper() + wrong[1:]
        yield Error((Edit(first.start, second.end, wrong),), 1.5)


def _misspelled(word: str, random: Random) -> str:
    """Return a misspelling that is no English word; "" if none was found."""
    for _ in range(_TRIES):
        wrong = _by_ear(word, random) if random.random() < 0.5 else _typo(word, random)
        if wrong != word and not is_known(wrong):
            return wrong
    return ""


def _by_ear(word: str, random: Random) -> str:
    fitting = [(rule, replacement) for rule, replacement in RULES if rule.search(word)]
    if not fitting:
        return word
    rule, replacement = random.choice(fitting)
    return rule.sub(replacement, word, count=1)


def _typo(word: str, random: Random) -> str:
    """Return the word with a slip of the fingers; the first letter is rarely hit."""
    place = random.randrange(1, len(word)) if random.random() < 0.95 else 0
    left, letter, right = word[:place], word[place], word[place + 1 :]
    kind = random.choices(("drop", "swap", "double", "beside", "extra"), (0.34, 0.26, 0.12, 0.18, 0.10))[0]
    if kind == "drop":
        return left + right
    if kind == "swap":
        return left + right[:1] + letter + right[1:]
    if kind == "double":
        return left + letter + letter + right
    beside = random.choice(NEIGHBOURS.get(letter, letter))
    return left + beside + right if kind == "beside" else left + letter + beside + right
