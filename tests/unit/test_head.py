from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nlu.head import IntentHead, energy, label_probabilities, pooled, scope_probability
from nlu.lexical import LexicalExpert
from nlu.prompt import Floats
from skills.parse import Outcome
from skills.skill import Calibration

LABELS = ("card", "rate", "money")
TEXTS = ["my card please", "the rate today", "some money", "zzzz"]
LEXICAL = LexicalExpert.fit(TEXTS[:3], [0, 1, 2], 3)


def make_head(labels: int = 3, *, lexical_weight: float = 0.0, **calibration: float) -> IntentHead:
    """A head whose prototypes are unit vectors, so that a feature's entries are the cosines."""
    return IntentHead(
        labels=LABELS[:labels],
        prototypes=np.eye(labels, 8, dtype=np.float32),
        scale=10.0,
        lexical=LEXICAL if lexical_weight else None,
        lexical_weight=lexical_weight,
        calibration=Calibration(**calibration),
    )


def states_of(*cosines: float) -> Floats:
    """Hidden states of two tokens whose feature has these first entries and is at unit length."""
    feature = np.zeros(8, np.float32)
    feature[: len(cosines)] = cosines
    feature[-1] = math.sqrt(1 - sum(each * each for each in cosines))
    return np.stack([feature, feature])


def test_pooled_is_the_mean_at_unit_length() -> None:
    states = np.array([[3.0, 0.0], [3.0, 8.0]], np.float32)
    np.testing.assert_allclose(pooled(states), [0.6, 0.8], rtol=1e-6)


def test_pooled_zeros_are_zeros() -> None:
    assert pooled(np.zeros((2, 4), np.float32)).tolist() == [0, 0, 0, 0]


def test_scores_are_scaled_cosines() -> None:
    output = make_head().predict(["any"], pooled(states_of(0.6, 0.5, 0.1))[None])
    expected = np.exp([6.0, 5.0, 1.0]) / np.exp([6.0, 5.0, 1.0]).sum()
    np.testing.assert_allclose(output.probabilities[0], expected, rtol=1e-5)


def test_the_lexical_expert_is_added_by_its_weight() -> None:
    features = np.stack([pooled(states_of(0.2, 0.2, 0.2))] * 4)
    output = make_head(lexical_weight=2.0).predict(TEXTS, features)
    assert output.probabilities[:3].argmax(axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(output.probabilities[3], 1 / 3, rtol=1e-5)


@pytest.mark.parametrize("lexical_weight", [0.0, 1.5])
def test_an_answer_is_the_row_of_a_batch(lexical_weight: float) -> None:
    head = make_head(lexical_weight=lexical_weight, temperature=2.0, scope_weight=1.5, scope_bias=-4.0)
    states = [states_of(0.6, 0.5, 0.1), states_of(0.0, 0.3, 0.3), states_of(0.1, 0.1, 0.9), states_of(0.2)]
    batch = head.predict(TEXTS, np.stack([pooled(each) for each in states]))
    for i, (text, each) in enumerate(zip(TEXTS, states, strict=True)):
        answer = head.answer(text, each)
        assert answer.in_scope == pytest.approx(batch.in_scope[i], abs=1e-6)
        found = {score.name: score.confidence for score in answer.ranking}
        expected = dict(zip(LABELS, batch.probabilities[i].tolist(), strict=True))
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("n_best", "names"), [(1, ["rate"]), (2, ["rate", "card"]), (100, ["rate", "card", "money"])]
)
def test_the_ranking_is_cut_and_best_first(n_best: int, names: list[str]) -> None:
    answer = make_head().answer("any", states_of(0.5, 0.6, 0.1), n_best=n_best)
    assert [score.name for score in answer.ranking] == names


def test_equal_labels_keep_their_order() -> None:
    answer = make_head().answer("any", states_of(0.3, 0.3, 0.3))
    assert [score.name for score in answer.ranking] == list(LABELS)


@pytest.mark.parametrize(
    ("calibration", "min_confidence", "outcome"),
    [
        ({}, 0.0, Outcome.MATCHED),
        ({}, 0.7, Outcome.MATCHED),
        ({}, 0.8, Outcome.OUT_OF_SCOPE),
        ({"ambiguity_margin": 0.5}, 0.0, Outcome.AMBIGUOUS),
        ({"ambiguity_margin": 0.4}, 0.0, Outcome.MATCHED),
        ({"ambiguity_margin": 0.5}, 0.8, Outcome.OUT_OF_SCOPE),
        ({"scope_threshold": 0.6}, 0.0, Outcome.OUT_OF_SCOPE),
        ({"scope_threshold": 0.5}, 0.0, Outcome.MATCHED),
        ({"scope_threshold": 0.6, "ambiguity_margin": 0.5}, 0.0, Outcome.OUT_OF_SCOPE),
    ],
)
def test_outcomes(calibration: dict[str, Any], min_confidence: float, outcome: Outcome) -> None:
    """The best label has 0.730, the second 0.268; without a fitted scope every row is in scope by 0.5."""
    answer = make_head(**calibration).answer("any", states_of(0.6, 0.5), min_confidence=min_confidence)
    assert answer.ranking[0].confidence == pytest.approx(0.730, abs=1e-3)
    assert answer.in_scope == 0.5
    assert answer.outcome is outcome


def test_two_labels_are_enough() -> None:
    answer = make_head(2).answer("any", states_of(0.2, 0.8))
    assert [score.name for score in answer.ranking] == ["rate", "card"]
    assert answer.outcome is Outcome.MATCHED


def test_a_higher_temperature_is_less_sure() -> None:
    def confidence(temperature: float) -> float:
        head = replace(make_head(), calibration=Calibration(temperature=temperature))
        return head.answer("any", states_of(0.6, 0.5, 0.1)).ranking[0].confidence

    assert confidence(0.5) > confidence(1.0) > confidence(4.0) > 1 / 3


@given(arrays(np.float32, (3, 4), elements=st.floats(-100, 100, width=32)), st.floats(0.05, 20))
def test_probabilities_are_probabilities(scores: Floats, temperature: float) -> None:
    probabilities = label_probabilities(scores, temperature)
    assert np.isfinite(probabilities).all() and (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_energy_is_the_log_of_summed_exponentials_of_centred_scores() -> None:
    scores = np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0], [300.0, 0.0, 0.0]], np.float32)
    expected = [math.log(1 / math.e + 1 + math.e), math.log(3), 200.0]
    np.testing.assert_allclose(energy(scores), expected, rtol=1e-6)
    np.testing.assert_allclose(energy(scores + 7), expected, rtol=1e-6)


def test_scope_probability_follows_the_calibration() -> None:
    calibration = Calibration(scope_weight=2.0, scope_bias=-6.0)
    found = scope_probability(np.array([3.0, 3.0 + math.log(3) / 2, -1e6, 1e6]), calibration)
    np.testing.assert_allclose(found, [0.5, 0.75, 0.0, 1.0], atol=1e-12)
