from __future__ import annotations

import math

import numpy as np
import pytest

from nlu.grammar_head import GrammarHead
from nlu.prompt import DecoderPrompt

NO_PROMPT = DecoderPrompt(np.zeros((1, 2, 1, 4), np.float32), np.zeros((1, 2, 1, 4), np.float32))


def make_head(*, threshold: float = 0.5, scale: float = 2.0) -> GrammarHead:
    detector = np.array([1, 0, 0, 0], np.float32)
    return GrammarHead(detector, -0.5, scale, 0.25, threshold, NO_PROMPT)


def test_a_text_is_as_wrong_as_its_worst_token() -> None:
    states = np.array([[0, 3, 0, 0], [5, 0, 0, 0], [-1, 0, 0, 0]], np.float32)
    head = make_head()
    np.testing.assert_allclose(head.token_scores(states), [-0.5, 1.5, -2.5], rtol=1e-6)
    assert head.error_probability(states) == pytest.approx(1 / (1 + math.exp(-(2 * 1.5 + 0.25))))


def test_the_threshold_itself_is_flagged() -> None:
    head = make_head(threshold=0.5)
    assert head.flags(0.5)
    assert not head.flags(0.4999)


def test_extreme_scores_are_probabilities() -> None:
    states = np.array([[1, 0, 0, 0]], np.float32)
    assert make_head(scale=1e9).error_probability(states) == pytest.approx(1.0)
    assert 0 < make_head(scale=-1e9).error_probability(states) < 1e-20
