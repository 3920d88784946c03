from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nlu.bio import span_probabilities, viterbi
from nlu.prompt import Floats

Spans = list[tuple[int, int, int]]


def sequences(length: int, labels: int) -> Iterator[tuple[int, ...]]:
    """All valid sequences of tags."""
    for tags in itertools.product(range(2 * labels + 1), repeat=length):
        followed = itertools.pairwise((0, *tags))
        if all(tag == 0 or tag % 2 == 1 or before in (tag, tag - 1) for before, tag in followed):
            yield tags


def spans_of(tags: tuple[int, ...]) -> Spans:
    spans: Spans = []
    for word, tag in enumerate(tags):
        if tag % 2 == 1:
            spans.append((word, word + 1, (tag - 1) // 2))
        elif tag:
            spans[-1] = (spans[-1][0], word + 1, spans[-1][2])
    return spans


def weigh(scores: Floats, tags: tuple[int, ...]) -> float:
    return float(sum(scores[word, tag].astype(np.float64) for word, tag in enumerate(tags)))


@st.composite
def tables(draw: st.DrawFn) -> Floats:
    length, labels = draw(st.sampled_from([(0, 1), (1, 1), (1, 3), (2, 2), (3, 2), (4, 1), (4, 2), (5, 1)]))
    values = st.floats(-30, 30, width=32)
    return draw(arrays(np.float32, (length, 2 * labels + 1), elements=values))


@given(tables())
def test_the_best_sequence_is_that_of_an_exhaustive_search(scores: Floats) -> None:
    labels = scores.shape[1] // 2
    found = viterbi(scores)
    weights = {
        tuple(spans_of(tags)): weigh(scores, tags) for tags in sequences(len(scores), labels)
    }  # spans and tags say the same
    assert weights[tuple(found)] == pytest.approx(max(weights.values()), abs=1e-4)


@given(tables())
def test_probabilities_of_spans_are_those_of_an_exhaustive_sum(scores: Floats) -> None:
    length, labels = len(scores), scores.shape[1] // 2
    possible = [(spans_of(tags), weigh(scores, tags)) for tags in sequences(length, labels)]
    best = max((weight for _, weight in possible), default=0.0)
    total = sum(np.exp(weight - best) for _, weight in possible)
    for start, end in itertools.combinations(range(length + 1), 2):
        expected = [
            sum(np.exp(weight - best) for spans, weight in possible if (start, end, label) in spans) / total
            for label in range(labels)
        ]
        np.testing.assert_allclose(span_probabilities(scores, start, end), expected, rtol=1e-6, atol=1e-12)


def test_several_spans_at_once() -> None:
    scores = np.random.default_rng(0).normal(size=(7, 9)).astype(np.float32)
    starts, ends = np.array([0, 2, 6]), np.array([2, 3, 7])
    found = span_probabilities(scores, starts, ends)
    assert found.shape == (3, 4)
    for row, start, end in zip(found, starts, ends, strict=True):
        np.testing.assert_allclose(row, span_probabilities(scores, int(start), int(end)), rtol=1e-12)


def test_a_word_inside_no_span_cannot_go_on_with_one() -> None:
    inside_only = np.array([[0, -9, 9], [0, -9, 9]], np.float32)
    assert viterbi(inside_only) == []
    follows_another = np.array([[0, 9, 0, 0, 0], [0, 0, 0, 0, 9]], np.float32)
    assert viterbi(follows_another) == [(0, 1, 0)]


def test_two_spans_of_one_label_may_touch() -> None:
    scores = np.array([[0, 5, 0], [0, 5, 0], [0, 0, 5]], np.float32)
    assert viterbi(scores) == [(0, 1, 0), (1, 3, 0)]


def test_large_scores_stay_exact() -> None:
    scores = np.full((255, 5), -1e4, np.float32)
    scores[:, 0] = 1e4
    scores[3, 1] = scores[4, 2] = 2e4
    assert viterbi(scores) == [(3, 5, 0)]
    np.testing.assert_allclose(span_probabilities(scores, 3, 5), [1.0, 0.0])


def test_nothing_to_tag() -> None:
    assert viterbi(np.zeros((0, 5), np.float32)) == []
    assert viterbi(np.zeros((3, 1), np.float32)) == []
    assert span_probabilities(np.zeros((0, 5), np.float32), [], []).shape == (0, 2)
