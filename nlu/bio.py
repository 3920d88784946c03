"""Spans over words: the best set of them, and how probable each one is.

A sequence gives every word one of 2S + 1 tags, in the order O, B-0, I-0, B-1, I-1, ...: outside, or first or
further word of a span with one of S labels. It is valid if every I-x follows B-x or I-x. Its weight is the
exponential of its words' scores; everything below is exact, over all valid sequences (Lafferty et al. 2001,
with transitions that are either allowed or not).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nlu.prompt import Floats

Doubles = NDArray[np.float64]


def viterbi(scores: Floats) -> list[tuple[int, int, int]]:
    """Return the spans of the best valid sequence as (first word, word after the last, label), ascending.

    Args:
        scores: (W, 2S+1) of each word and tag.
    """
    outside, begin, inside = _parts(scores)
    length, labels = begin.shape
    closed = np.zeros(length + 1)  # best weight of the words from here on, if no span is open
    opened = np.zeros((length + 1, labels))  # the same if a span of the label is open
    for word in range(length - 1, -1, -1):
        begun = (begin[word] + opened[word + 1]).max(initial=-np.inf)
        closed[word] = max(outside[word] + closed[word + 1], begun)
        opened[word] = np.maximum(inside[word] + opened[word + 1], closed[word])
    spans: list[tuple[int, int, int]] = []
    word = 0
    while word < length:
        begun = begin[word] + opened[word + 1]
        if begun.max(initial=-np.inf) <= outside[word] + closed[word + 1]:
            word += 1
            continue
        start, label = word, int(begun.argmax())
        word += 1
        while word < length and inside[word, label] + opened[word + 1, label] > closed[word]:
            word += 1
        spans.append((start, word, label))
    return spans


def span_probabilities(scores: Floats, start: ArrayLike, end: ArrayLike) -> Doubles:
    """Return the probability that words `start` to `end` are one whole span, for each label.

    Args:
        scores: (W, 2S+1) of each word and tag.
        start: the first word, or (N,) of several spans.
        end: the word after the last, in the shape of `start`.

    Returns:
        (S,) or (N, S).
    """
    outside, begin, inside = _parts(scores)
    starts, ends = np.asarray(start, np.intp), np.asarray(end, np.intp)
    before, after = _before(outside, begin, inside), _after(outside, begin, inside)
    run = np.concatenate([np.zeros((1, begin.shape[1])), np.cumsum(inside, axis=0)])
    weight = before[starts][..., None] + begin[starts] + run[ends] - run[starts + 1] + after[ends][..., None]
    probabilities: Doubles = np.exp(np.minimum(weight - before[-1], 0.0))
    return probabilities


def _before(outside: Doubles, begin: Doubles, inside: Doubles) -> Doubles:
    """Return (W+1,) log weights of all valid sequences of the words before each place."""
    before = np.zeros(len(outside) + 1)
    opened = np.full(begin.shape[1], -np.inf)  # those that end in a span of the label
    for word in range(len(outside)):
        opened = np.logaddexp(before[word] + begin[word], opened + inside[word])
        before[word + 1] = _log_sum(before[word] + outside[word], opened)
    return before


def _after(outside: Doubles, begin: Doubles, inside: Doubles) -> Doubles:
    """Return (W+1,) log weights of all valid sequences from each place on, if no span is open there."""
    after = np.zeros(len(outside) + 1)
    opened = np.zeros(begin.shape[1])  # those from here on if a span of the label is open
    for word in range(len(outside) - 1, -1, -1):
        after[word] = _log_sum(outside[word] + after[word + 1], begin[word] + opened)
        opened = np.logaddexp(inside[word] + opened, after[word])
    return after


def _parts(scores: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Return the (W,) scores of O, (W, S) of B and (W, S) of I; the best of each word is 0."""
    doubles = scores.astype(np.float64)
    doubles -= doubles.max(axis=1, keepdims=True, initial=-np.inf) if len(doubles) else 0.0
    return doubles[:, 0], doubles[:, 1::2], doubles[:, 2::2]


def _log_sum(one: float, more: Doubles) -> float:
    best = max(one, float(more.max(initial=-np.inf)))
    return best + float(np.log(np.exp(one - best) + np.exp(more - best).sum()))
