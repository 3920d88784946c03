"""The lexical expert: which words and character n-grams speak for which label.

Class centroids of TF-IDF vectors, hashed into buckets so that no vocabulary is stored. It costs under
0.3 ms and knows what the frozen encoder does not: the exact words of this skill's training utterances.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu.half import Floats

BUCKETS = 1 << 16
MAX_BUCKETS_PER_LABEL = 1024  # bounds the stored bytes: at most 3 KB a label
CHARACTER_LENGTHS = (2, 3, 4, 5)
WORDS = 4096  # whose n-grams are remembered, if they are short: most of what is said, in 5 MB at most
SHORT = 24  # characters
WORD = re.compile(r"\w+|[^\w\s]")

Counted = tuple[NDArray[np.int64], NDArray[np.float64]]  # distinct buckets, and a value for each


@dataclass(frozen=True, eq=False)
class ByLabel:
    """Weights by label: label i owns `buckets[starts[i]:starts[i + 1]]`, rising, and their weights.

    buckets: (entries,) uint16; weights: (entries,) as `LexicalExpert` has them; starts: (labels + 1,) int32.
    """

    buckets: NDArray[np.uint16]
    weights: Floats | NDArray[np.uint8]
    starts: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LexicalExpert:
    """Sparse (labels x buckets) weights by bucket, as small as they are stored.

    buckets: (known,) uint16, rising: those that some label has a weight for. Bucket i has the entries
    `first[i]:first[i + 1]` of labels and weights, labels rising. weights: (entries,) float32, or uint8 in
    steps of `step`; not negative.
    """

    label_count: int
    buckets: NDArray[np.uint16]
    first: NDArray[np.int32]
    labels: NDArray[Any]
    weights: NDArray[Any]
    step: float = 1.0

    @classmethod
    def of_labels(cls, by_label: ByLabel, step: float = 1.0) -> LexicalExpert:
        """Return the expert of weights by label."""
        label_count = len(by_label.starts) - 1
        numbers = np.arange(label_count, dtype=np.uint8 if label_count <= 256 else np.uint16)
        order = np.argsort(by_label.buckets, kind="stable")
        labels = np.repeat(numbers, np.diff(by_label.starts))[order]
        buckets = by_label.buckets[order]
        starts = np.flatnonzero(np.diff(buckets.astype(np.int32), prepend=-1))
        first = np.append(starts, len(order)).astype(np.int32)
        return cls(label_count, buckets[starts], first, labels, by_label.weights[order], step)

    def by_label(self) -> ByLabel:
        """Return the weights by label, as a skill version stores them."""
        order = np.argsort(self.labels, kind="stable")
        starts = np.zeros(self.label_count + 1, np.int32)
        np.cumsum(np.bincount(self.labels, minlength=self.label_count), out=starts[1:])
        buckets = np.repeat(self.buckets, np.diff(self.first))
        return ByLabel(buckets[order], self._weights(order), starts)

    def scores(self, text: str) -> Floats:
        """Return (labels,) scores: standardised over the labels, zero where nothing of the text is known."""
        found, known = self._known(*_counted(text))
        if not len(known):
            return np.zeros(self.label_count, np.float32)
        starts = self.first[found]
        lengths = self.first[found + 1] - starts
        places = np.repeat(starts + lengths - np.cumsum(lengths), lengths) + np.arange(lengths.sum())
        raw = np.bincount(
            self.labels[places],
            np.repeat(known, lengths) * self._weights(places),
            minlength=self.label_count,
        ) / math.sqrt(known @ known)
        centred = raw - raw.mean()
        deviation = math.sqrt(centred @ centred / len(centred))
        # The floor keeps a text with hardly a known n-gram from looking decisive after standardisation.
        standardised: Floats = (centred / (deviation + 0.01)).astype(np.float32)
        return standardised

    def _known(
        self, buckets: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the places of those of the buckets that are here, and their values."""
        wanted = buckets.astype(np.uint16)  # or numpy would convert all of ours for the search
        found = np.searchsorted(self.buckets, wanted)
        is_known = found < len(self.buckets)
        is_known[is_known] = self.buckets[found[is_known]] == wanted[is_known]
        return found[is_known], values[is_known]

    def _weights(self, places: NDArray[np.integer[Any]]) -> Floats:
        weights: Floats = self.weights[places] * np.float32(self.step)
        return weights

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
        whole = ByLabel(
            buckets=np.concatenate([buckets for buckets, _ in kept]).astype(np.uint16),
            weights=np.concatenate([weights for _, weights in kept]).astype(np.float32),
            starts=np.cumsum([0, *(len(buckets) for buckets, _ in kept)]).astype(np.int32),
        )
        return cls.of_labels(whole)


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
    """Return the buckets of the n-grams of `text`, in rising order, and 1 + log(count) of each.

    Words, pairs of words, and character n-grams inside each word with its edges marked.
    """
    words = WORD.findall(text.casefold())
    buckets = [_bucket(f"{left} {right}") for left, right in pairwise(words)]
    for word in words:
        buckets += _buckets_of_short(word) if len(word) <= SHORT else _buckets_of(word)
    counts = Counter(buckets)
    distinct = sorted(counts)
    values = 1 + np.log(np.array([counts[bucket] for bucket in distinct], np.int64))
    return np.array(distinct, np.int64), values


def _buckets_of(word: str) -> tuple[int, ...]:
    """Return the buckets of a word and of its character n-grams."""
    grams, edged = [word], f" {word} "
    for length in CHARACTER_LENGTHS:
        if len(edged) <= length:
            grams.append(f"#{edged}")
            break
        grams += [f"#{edged[i : i + length]}" for i in range(len(edged) - length + 1)]
    return tuple(map(_bucket, grams))


_buckets_of_short = lru_cache(maxsize=WORDS)(_buckets_of)


def _bucket(gram: str) -> int:
    return zlib.crc32(gram.encode()) % BUCKETS
