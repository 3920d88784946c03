"""Pairs of erroneous and correct sentences, made from correct ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random

from skills.correction import CorrectedSentence
from skills.corruption import (
    agreement,
    articles,
    casing,
    prepositions,
    punctuation,
    spelling,
    verbs,
    word_order,
)
from skills.corruption.clean import looks_clean
from skills.corruption.rates import CorruptionRates
from skills.corruption.sentence import Error, Sentence
from skills.edits import Edit, apply_edits
from skills.protection import keep_protected, protected_spans

KINDS: dict[str, Callable[[Sentence, Random], Iterator[Error]]] = {
    "agreement": agreement.propose,
    "article": articles.propose,
    "preposition": prepositions.propose,
    "tense": verbs.propose,
    "word_order": word_order.propose,
    "spelling": spelling.propose,
    "casing": casing.propose,
    "punctuation": punctuation.propose,
}


def corrupt(sentences: Iterable[str], rates: CorruptionRates, *, seed: int) -> Iterator[CorrectedSentence]:
    """Yield sentences with errors, each with the sentence it was made from; a share of them without.

    Left out is what does not look clean, for it would teach errors, and what has no place for an error of
    the kinds asked for. What a correction must not touch (numbers, addresses, names with @) is never changed.
    """
    random = Random(seed)  # noqa: S311 - errors are to be repeatable, not secret
    for text in sentences:
        if not looks_clean(text):
            continue
        if random.random() < rates.clean:
            yield CorrectedSentence(text, (text,))
            continue
        wrong = _Corruption(text, rates, random).apply()
        if wrong != text:
            yield CorrectedSentence(wrong, (text,))


class _Corruption:
    """The errors of one sentence in the making."""

    def __init__(self, text: str, rates: CorruptionRates, random: Random) -> None:
        self._sentence = Sentence(text)
        self._random = random
        self._rates = {kind: rate for kind, rate in rates.kinds.items() if rate}
        self._errors_per_word = rates.errors_per_word
        self._spans = protected_spans(text)
        self._errors: dict[str, list[Error]] = {}
        self._made: list[Edit] = []

    def apply(self) -> str:
        """Return the sentence with its errors."""
        for _ in range(self._count()):
            while self._rates and not self._make_one():
                pass
        return apply_edits(self._sentence.text, sorted(self._made, key=lambda edit: edit.start))

    def _count(self) -> int:
        """Return how many errors to make: at least one, and more in long sentences."""
        further = sum(word[0].isalpha() for word in self._sentence.lower) - 1
        return 1 + sum(self._random.random() < self._errors_per_word for _ in range(further))

    def _make_one(self) -> bool:
        """Make an error of a kind drawn by its rate; without a place for one, forget that kind."""
        kind = self._random.choices([*self._rates], [*self._rates.values()])[0]
        if kind not in self._errors:
            self._errors[kind] = list(KINDS[kind](self._sentence, self._random))
        fitting = [error for each in self._errors[kind] if (error := self._fitting(each)).edits]
        if self._random.random() >= sum(each.weight for each in fitting):  # unlikely ones stay rare
            del self._rates[kind]
            return False
        error = self._random.choices(fitting, [each.weight for each in fitting])[0]
        self._made += error.edits
        return True

    def _fitting(self, error: Error) -> Error:
        """Return what of an error changes neither protected text nor what has an error already."""
        edits = keep_protected(self._sentence.text, error.edits, self._spans) if self._spans else error.edits
        if self._made:
            edits = tuple(edit for edit in edits if not any(_clash(edit, made) for made in self._made))
        return Error(edits, error.weight)


def _clash(edit: Edit, other: Edit) -> bool:
    return edit.start == other.start or (edit.start < other.end and other.start < edit.end)
