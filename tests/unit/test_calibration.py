from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nlu.head import IntentHead, label_probabilities
from nlu.lexical import LexicalExpert
from nlu.prompt import Floats
from skills.skill import Calibration
from training.calibration import USUAL_WEIGHT, calibrate, lexical_scores, shifted, slot_temperature

SCALE = 16.0

Spans = list[tuple[int, int, int]]


def make_head(labels: int) -> IntentHead:
    return IntentHead(
        labels=tuple(f"label{i}" for i in range(labels)),
        prototypes=np.eye(labels, dtype=np.float32),
        scale=SCALE,
        lexical=LexicalExpert.fit([f"word{i}" for i in range(labels)], list(range(labels)), labels),
        lexical_weight=0.0,
        calibration=Calibration(),
    )


def drawn(rows: int, labels: int, *, sharpness: float, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    """Cosines, and labels drawn from the softmax of `SCALE * cosines / sharpness`."""
    generator = np.random.default_rng(seed)
    cosines = generator.uniform(-0.3, 0.9, (rows, labels)).astype(np.float32)
    probabilities = label_probabilities(SCALE * cosines, sharpness).astype(np.float64)
    cumulated = (probabilities / probabilities.sum(axis=1, keepdims=True)).cumsum(axis=1)
    right = (generator.uniform(size=(rows, 1)) > cumulated).sum(axis=1)
    return cosines, np.minimum(right, labels - 1)


def fit(
    cosines: Floats,
    labels: NDArray[np.int64],
    *,
    lexical: Floats | None = None,
    oos: Floats | None = None,
    kept: float = 0.95,
) -> IntentHead:
    oos = np.zeros((0, cosines.shape[1]), np.float32) if oos is None else oos
    return calibrate(
        make_head(cosines.shape[1]),
        cosines=cosines,
        lexical=np.zeros_like(cosines) if lexical is None else lexical,
        labels=labels,
        oos_cosines=oos,
        oos_lexical=np.zeros_like(oos),
        in_scope_kept=kept,
    )


def loss(scores: Floats, labels: NDArray[np.int64], temperature: float) -> float:
    probabilities = label_probabilities(scores, temperature)
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def in_scope(head: IntentHead, cosines: Floats) -> NDArray[np.float64]:
    """Of rows whose features are the cosines: the prototypes are unit vectors."""
    return head.predict([""] * len(cosines), cosines).in_scope


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 4.0])
def test_finds_the_temperature_of_the_labels(sharpness: float) -> None:
    cosines, labels = drawn(2000, 6, sharpness=sharpness)
    temperature = fit(cosines, labels).calibration.temperature
    assert temperature == pytest.approx(sharpness, rel=0.15)
    assert loss(SCALE * cosines, labels, temperature) <= loss(SCALE * cosines, labels, 1.0) + 1e-6


@pytest.mark.parametrize("labels", [2, 6])
@pytest.mark.parametrize("kept", [0.8, 0.95, 1.0])
@pytest.mark.parametrize("oos_rows", [0, 10, 100])
def test_the_threshold_keeps_enough(labels: int, kept: float, oos_rows: int) -> None:
    cosines, right = drawn(200, labels, sharpness=1.0)
    oos = np.random.default_rng(1).uniform(-0.3, 0.5, (oos_rows, labels)).astype(np.float32)
    head = fit(cosines, right, oos=oos, kept=kept)
    accepted = in_scope(head, cosines) >= head.calibration.scope_threshold
    assert accepted.mean() >= kept


@pytest.mark.parametrize("labels", [2, 6])
@pytest.mark.parametrize("oos_rows", [0, 100])
def test_far_rows_are_rejected(labels: int, oos_rows: int) -> None:
    """With out-of-scope rows to learn from, or with what the other labels make of a row in their place."""
    generator = np.random.default_rng(0)
    right = np.arange(120) % labels
    cosines = generator.uniform(-0.2, 0.2, (120, labels)).astype(np.float32)
    cosines[np.arange(120), right] += 0.7
    far = generator.uniform(-0.2, 0.2, (200, labels)).astype(np.float32)
    head = fit(cosines, right, oos=far[:oos_rows])
    threshold = head.calibration.scope_threshold
    assert (in_scope(head, cosines) >= threshold).mean() >= 0.95
    assert (in_scope(head, far[100:]) < threshold).mean() > 0.9
    assert in_scope(head, cosines).mean() > 0.8 > 0.3 > in_scope(head, far).mean()


def test_a_helpful_lexical_expert_is_fused() -> None:
    cosines, right = drawn(300, 4, sharpness=4.0)
    lexical = np.where(np.eye(4, dtype=np.bool_)[right], 1.7, -0.6).astype(np.float32)
    head = fit(cosines, right, lexical=lexical)
    assert head.lexical_weight > 0
    assert head.lexical is not None


def test_few_rows_move_the_weight_less_than_many() -> None:
    cosines, labels = drawn(2000, 6, sharpness=1.0)
    noise = np.random.default_rng(1).normal(size=cosines.shape)
    lexical = (np.eye(6)[labels] + noise).astype(np.float32)
    many = fit(cosines, labels, lexical=lexical).lexical_weight
    few = [fit(cosines[i::100], labels[i::100], lexical=lexical[i::100]).lexical_weight for i in range(9)]
    assert USUAL_WEIGHT in few
    assert np.mean(few) < many


def test_a_misleading_lexical_expert_is_dropped() -> None:
    cosines, right = drawn(300, 4, sharpness=0.5)
    noise = 4 * np.random.default_rng(1).normal(size=cosines.shape).astype(np.float32)
    head = fit(cosines, right, lexical=noise)
    assert head.lexical_weight == 0
    assert head.lexical is None


@pytest.mark.parametrize("rows", [2, 3])
def test_a_handful_of_rows_is_enough(rows: int) -> None:
    cosines = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], np.float32)[:rows]
    calibration = fit(cosines, np.array([0, 1, 0])[:rows]).calibration
    assert 0 < calibration.temperature < np.inf
    assert np.isfinite([calibration.scope_weight, calibration.scope_bias]).all()
    assert 0 <= calibration.scope_threshold <= 1


def drawn_tags(rows: int, *, sharpness: float, seed: int = 0) -> tuple[list[Floats], list[Spans]]:
    """Scores of one word and one label each, and spans drawn from the softmax of `scores / sharpness`."""
    generator = np.random.default_rng(seed)
    scores, marked = [], list[Spans]()
    for _ in range(rows):
        row = np.array([[generator.normal(scale=3), generator.normal(scale=3), -100]], np.float32)
        outside, begin, _ = label_probabilities(row, sharpness)[0]
        scores.append(row)
        marked.append([(0, 1, 0)] if generator.uniform() < begin / (outside + begin) else [])
    return scores, marked


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 4.0])
def test_the_temperature_of_spans_is_the_one_they_were_drawn_with(sharpness: float) -> None:
    scores, marked = drawn_tags(3000, sharpness=sharpness)
    assert slot_temperature(scores, marked) == pytest.approx(sharpness, rel=0.35)


def test_confident_taggers_that_err_are_cooled_down() -> None:
    scores, marked = drawn_tags(300, sharpness=8.0)
    assert slot_temperature(scores, marked) > 3


def test_a_few_rows_that_are_all_right_prove_little() -> None:
    scores = [np.array([[0, 3, -100]], np.float32)] * 5
    assert slot_temperature(scores, [[(0, 1, 0)]] * 5) > 0.3


def test_without_spans_the_temperature_stays() -> None:
    assert slot_temperature([np.array([[5, 0, 0]], np.float32), np.zeros((0, 3), np.float32)], [[], []]) == 1


def test_a_shift_moves_the_scope_along_with_the_energies() -> None:
    head = replace(make_head(3), calibration=Calibration(scope_weight=2.0, scope_bias=-1.0))
    assert shifted(head, 0.5).calibration == Calibration(scope_weight=2.0, scope_bias=0.0)


def test_lexical_scores_are_zero_without_an_expert() -> None:
    head = make_head(3)
    assert lexical_scores(head, ["word1"]).argmax() == 1
    assert not lexical_scores(replace(head, lexical=None), ["word1"]).any()
    assert lexical_scores(head, []).shape == (0, 3)
