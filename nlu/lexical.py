"""The lexical expert: which words and character n-grams speak for which label.

Class centroids of TF-IDF vectors, hashed into buckets so that no vocabulary is stored. It costs under
0.3 ms and knows what the frozen encoder does not: the exact words of this skill's training utterances.
"""

from __future__ import annotations

import math
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nlu.prompt import Floats

BUCKETS = 1 << 16
MAX_BUCKETS_PER_LABEL = 1024  # bounds the stored bytes: at most 3 KB a label
CHARACTER_LENGTHS = (2, 3, 4, 5)
WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, eq=False)
class LexicalExpert:
    """Sparse (labels x buckets) weights, row-wise: label i owns `buckets[starts[i]:starts[i + 1]]`.

    buckets: (entries,) uint16; weights: (entries,) float32, not negative; starts: (labels + 1,) int32.
    """

    buckets: NDArray[np.uint16]
    weights: Floats
    starts: NDArray[np.int32]

    @cached_property
    def _by_bucket(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """The same matrix by bucket: `first[b]:first[b + 1]` are the places of bucket b in labels and weights."""
        labels = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        order = np.argsort(self.buckets, kind="stable")
        first = np.searchsorted(self.buckets[order], np.arange(BUCKETS + 1))
        return first, labels[order], self.weights[order]

    def scores(self, text: str) -> Floats:
        """Return (labels,) scores: standardised over the labels, zero where nothing of the text is known."""
        first, labels, weights = self._by_bucket
        counted = _counted(text)
        buckets = np.fromiter(counted, np.int64, len(counted))
        values = np.fromiter(counted.values(), np.float64, len(counted))
        lengths = first[buckets + 1] - first[buckets]
        known = float(values[lengths > 0] @ values[lengths > 0])
        if not known:
            return np.zeros(len(self.starts) - 1, np.float32)
        places = np.repeat(first[buckets] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        raw = np.bincount(
            labels[places], np.repeat(values, lengths) * weights[places], minlength=len(self.starts) - 1
        ) / math.sqrt(known)
        # The floor keeps a text with hardly a known n-gram from looking decisive after standardisation.
        standardised: Floats = ((raw - raw.mean()) / (raw.std() + 0.01)).astype(np.float32)
        return standardised

    @classmethod
    def fit(cls, texts: Sequence[str], labels: Sequence[int], label_count: int) -> LexicalExpert:
        """Build the centroids of `texts`, whose labels are `labels`."""
        rows = [_counted(text) for text in texts]
        frequency = Counter(bucket for row in rows for bucket in row)
        idf = {bucket: math.log((1 + len(rows)) / (1 + count)) + 1 for bucket, count in frequency.items()}
        centroids: list[defaultdict[int, float]] = [defaultdict(float) for _ in range(label_count)]
        for row, label in zip(rows, labels, strict=True):
            vector = {bucket: value * idf[bucket] for bucket, value in row.items()}
            norm = _norm(vector)
            for bucket, value in vector.items():
                centroids[label][bucket] += value / norm
        return cls._packed([_largest(_weighted(centroid, idf)) for centroid in centroids])

    @classmethod
    def _packed(cls, rows: Sequence[Mapping[int, float]]) -> LexicalExpert:
        items = [sorted(row.items()) for row in rows]
        flat = [item for row in items for item in row]
        return cls(
            buckets=np.array([bucket for bucket, _ in flat], np.uint16),
            weights=np.array([weight for _, weight in flat], np.float32),
            starts=np.cumsum([0, *map(len, items)]).astype(np.int32),
        )


def _weighted(centroid: Mapping[int, float], idf: Mapping[int, float]) -> dict[int, float]:
    """Normalise a centroid and fold in the idf of the text that it will be compared with."""
    norm = _norm(centroid)
    return {bucket: value / norm * idf[bucket] for bucket, value in centroid.items()}


def _largest(row: Mapping[int, float]) -> dict[int, float]:
    return dict(sorted(row.items(), key=lambda item: (-item[1], item[0]))[:MAX_BUCKETS_PER_LABEL])


def _norm(vector: Mapping[int, float]) -> float:
    return math.sqrt(sum(value * value for value in vector.values())) or 1.0


def _counted(text: str) -> dict[int, float]:
    """Return bucket -> 1 + log(count) over the n-grams of `text`."""
    counts = Counter(zlib.crc32(gram.encode()) % BUCKETS for gram in _ngrams(text.casefold()))
    return {bucket: 1 + math.log(count) for bucket, count in counts.items()}


def _ngrams(text: str) -> list[str]:
    """Words, pairs of words, and character n-grams inside each word with its edges marked."""
    words = WORD.findall(text)
    grams = [*words, *(f"{left} {right}" for left, right in zip(words, words[1:], strict=False))]
    for word in words:
        edged = f" {word} "
        for length in CHARACTER_LENGTHS:
            if len(edged) <= length:
                grams.append(f"#{edged}")
                break
            grams += [f"#{edged[i : i + length]}" for i in range(len(edged) - length + 1)]
    return grams
