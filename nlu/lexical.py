"""The lexical expert: which words and character n-grams speak for which label.

Class centroids of TF-IDF vectors, hashed into buckets so that no vocabulary is stored. It costs under
0.3 ms and knows what the frozen encoder does not: the exact words of this skill's training utterances.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nlu.prompt import Floats

BUCKETS = 1 << 16
MAX_BUCKETS_PER_LABEL = 1024  # bounds the stored bytes: at most 3 KB a label
CHARACTER_LENGTHS = (2, 3, 4, 5)
WORD = re.compile(r"\w+|[^\w\s]")

Counted = tuple[NDArray[np.int64], NDArray[np.float64]]  # distinct buckets, and a value for each


@dataclass(frozen=True, eq=False)
class LexicalExpert:
    """Sparse (labels x buckets) weights, row-wise: label i owns `buckets[starts[i]:starts[i + 1]]`.

    buckets: (entries,) uint16; weights: (entries,) float32, not negative; starts: (labels + 1,) int32.
    """

    buckets: NDArray[np.uint16]
    weights: Floats
    starts: NDArray[np.int32]

    @cached_property
    def _by_bucket(self) -> tuple[NDArray[np.int32], NDArray[np.uint16], Floats]:
        """The matrix by bucket: `first[b]:first[b + 1]` are the places of bucket b in labels and weights."""
        labels = np.repeat(np.arange(len(self.starts) - 1, dtype=np.uint16), np.diff(self.starts))
        order = np.argsort(self.buckets, kind="stable")
        first = np.zeros(BUCKETS + 1, np.int32)
        np.cumsum(np.bincount(self.buckets, minlength=BUCKETS), out=first[1:])
        return first, labels[order], self.weights[order]

    def scores(self, text: str) -> Floats:
        """Return (labels,) scores: standardised over the labels, zero where nothing of the text is known."""
        first, labels, weights = self._by_bucket
        buckets, values = _counted(text)
        lengths = first[buckets + 1] - first[buckets]
        known = values[lengths > 0]
        if not len(known):
            return np.zeros(len(self.starts) - 1, np.float32)
        places = np.repeat(first[buckets] + lengths - np.cumsum(lengths), lengths) + np.arange(lengths.sum())
        raw = np.bincount(
            labels[places], np.repeat(values, lengths) * weights[places], minlength=len(self.starts) - 1
        ) / math.sqrt(known @ known)
        centred = raw - raw.mean()
        deviation = math.sqrt(centred @ centred / len(centred))
        # The floor keeps a text with hardly a known n-gram from looking decisive after standardisation.
        standardised: Floats = (centred / (deviation + 0.01)).astype(np.float32)
        return standardised

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[int], label_count: int) -> LexicalExpert:
        """Build the centroids of `texts`, whose labels are `labels`."""
        rows = [_counted(text) for text in texts]
        frequency = np.bincount(np.concatenate([buckets for buckets, _ in rows]), minlength=BUCKETS)
        idf = np.log((1 + len(rows)) / (1 + frequency)) + 1
        by_label: list[list[Counted]] = [[] for _ in range(label_count)]
        for (buckets, values), label in zip(rows, labels, strict=True):
            by_label[label].append((buckets, _unit(values * idf[buckets])))
        kept = [_largest(_centroid(members) * idf) for members in by_label]
        return cls(
            buckets=np.concatenate([buckets for buckets, _ in kept]).astype(np.uint16),
            weights=np.concatenate([weights for _, weights in kept]).astype(np.float32),
            starts=np.cumsum([0, *(len(buckets) for buckets, _ in kept)]).astype(np.int32),
        )


def _centroid(rows: Sequence[Counted]) -> NDArray[np.float64]:
    """Return the (BUCKETS,) sum of a label's rows at unit length; zero without rows."""
    sums = np.zeros(BUCKETS)
    for buckets, values in rows:
        sums[buckets] += values
    return _unit(sums)


def _largest(weights: NDArray[np.float64]) -> Counted:
    """Return the buckets of the largest weights in rising order, and the weights."""
    buckets = np.flatnonzero(weights)
    largest = np.argsort(-weights[buckets], kind="stable")[:MAX_BUCKETS_PER_LABEL]
    buckets = np.sort(buckets[largest])
    return buckets, weights[buckets]


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / (math.sqrt(vector @ vector) or 1.0)


def _counted(text: str) -> Counted:
    """Return the buckets of the n-grams of `text`, in rising order, and 1 + log(count) of each."""
    hashes = [zlib.crc32(gram.encode()) % BUCKETS for gram in _ngrams(text.casefold())]
    buckets, counts = np.unique(np.array(hashes, np.int64), return_counts=True)
    return buckets, 1 + np.log(counts)


def _ngrams(text: str) -> list[str]:
    """Words, pairs of words, and character n-grams inside each word with its edges marked."""
    words = WORD.findall(text)
    grams = [*words, *(f"{left} {right}" for left, right in pairwise(words))]
    for word in words:
        edged = f" {word} "
        for length in CHARACTER_LENGTHS:
            if len(edged) <= length:
                grams.append(f"#{edged}")
                break
            grams += [f"#{edged[i : i + length]}" for i in range(len(edged) - length + 1)]
    return grams
