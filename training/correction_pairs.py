"""Pairs of a sentence and its correction, as the model learns from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nlu.backbone import Backbone
from nlu.tokens import tokenise
from skills.correction import CorrectedSentence
from skills.edits import edits_between

SHUFFLE_BATCHES = 16  # batches sorted by length together

TokenIds = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """A tokenised sentence, whether each token is (or follows) an error, and its correction."""

    source: TokenIds
    wrong: tuple[bool, ...]
    target: TokenIds

    @property
    def has_error(self) -> bool:
        """Whether there is anything to correct."""
        return any(self.wrong)


def make_pairs(
    backbone: Backbone,
    sentences: Sequence[CorrectedSentence],
    generator: np.random.Generator,
    *,
    clean_share: float,
) -> list[Pair]:
    """Return tokenised pairs in random order; of several corrections one is drawn.

    `clean_share` of the corrections are there a second time as sentences that are right.
    """
    pairs = []
    for sentence in sentences:
        correction = sentence.corrections[generator.integers(len(sentence.corrections))]
        pairs.append(make_pair(backbone, sentence.text, correction))
        if correction != sentence.text and generator.random() < clean_share:
            pairs.append(make_pair(backbone, correction, correction))
    return [pairs[place] for place in generator.permutation(len(pairs))]


def make_pair(backbone: Backbone, text: str, correction: str) -> Pair:
    """Return a pair; its wrong tokens are those that an edit touches, or that follow something missing."""
    tokens = tokenise(backbone, text)
    wrong = [False] * len(tokens.ids)
    for edit in edits_between(text, correction):
        touched = [
            place
            for place, (start, end) in enumerate(tokens.offsets)
            if (start < edit.end and end > edit.start) or (edit.start == edit.end <= start < end)
        ]
        if edit.start == edit.end:
            touched = touched[:1]
        for place in touched or [len(wrong) - 1]:
            wrong[place] = True
    return Pair(tokens.ids, tuple(wrong), tokenise(backbone, correction).ids)


def batches(pairs: Sequence[Pair], size: int, generator: np.random.Generator) -> Iterator[list[Pair]]:
    """Yield batches for ever: shuffled, then sorted by length within a few batches' worth."""
    while True:
        order = generator.permutation(len(pairs))
        for start in range(0, len(order), size * SHUFFLE_BATCHES):
            chunk = [pairs[place] for place in order[start : start + size * SHUFFLE_BATCHES]]
            together = list(by_length(chunk, size))
            for place in generator.permutation(len(together)):
                yield together[place]


def by_length(pairs: Sequence[Pair], size: int) -> Iterator[list[Pair]]:
    ordered = sorted(pairs, key=lambda pair: len(pair.source) + len(pair.target))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
