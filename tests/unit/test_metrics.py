from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.errors import InputError
from skills.metrics import (
    Confusion,
    IntentMetrics,
    LabelMetrics,
    Prediction,
    calibration_error,
    confusions,
    intent_metrics,
    label_metrics,
    predictions,
    reliability_bins,
)
from skills.skill import OUT_OF_SCOPE_LABEL

LABELS = ("a", "b", "c")


def prediction(expected: str, answered: str, confidence: float = 0.9, *, accepted: bool = True) -> Prediction:
    return Prediction(f"{expected} {confidence}", expected, answered, confidence, 0.5, accepted)


def measured(
    probabilities: Sequence[Sequence[float]],
    expected: Sequence[int],
    *,
    in_scope: Sequence[float] | None = None,
    accepted: Sequence[bool] | None = None,
) -> IntentMetrics:
    count = len(expected)
    return intent_metrics(
        np.array(probabilities),
        np.array(expected),
        in_scope=np.array(in_scope or [1.0] * count),
        accepted=np.array(accepted or [True] * count),
        texts=[f"text {number}" for number in range(count)],
        labels=LABELS,
    )


def test_a_hand_computed_example() -> None:
    metrics = measured(
        [
            [0.8, 0.1, 0.1],
            [0.6, 0.3, 0.1],
            [0.1, 0.9, 0.0],
            [0.0, 0.3, 0.7],
            [0.5, 0.3, 0.2],
            [0.2, 0.2, 0.6],
        ],
        [0, 1, 1, 2, -1, -1],
        in_scope=[0.9, 0.6, 0.8, 0.4, 0.1, 0.5],
        accepted=[True, True, True, False, False, True],
    )
    assert (metrics.rows, metrics.oos_rows) == (4, 2)
    assert metrics.accuracy == 0.75
    assert metrics.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert metrics.ece == pytest.approx((0.2 + 0.6 + 0.1 + 0.3) / 4)  # each in a bin of its own
    assert metrics.in_scope_accepted == 0.75
    assert metrics.oos_auroc == 7 / 8  # only 0.4 against 0.5 is in the wrong order
    assert metrics.oos_recall == 0.5
    assert metrics.confusions == (
        Confusion(OUT_OF_SCOPE_LABEL, "c", 1, "text 5"),
        Confusion("b", "a", 1, "text 1"),
    )


def test_without_oos_rows_there_are_no_oos_numbers() -> None:
    metrics = measured([[0.9, 0.1, 0.0]], [0])
    assert (metrics.oos_auroc, metrics.oos_recall) == (None, None)
    assert metrics.as_flat_dict() == {
        "rows": 1.0,
        "oos_rows": 0.0,
        "accuracy": 1.0,
        "macro_f1": 1.0,
        "ece": pytest.approx(0.1),
        "in_scope_accepted": 1.0,
    }


def test_the_flat_dict_has_all_numbers() -> None:
    flat = measured([[1.0, 0.0, 0.0], [0.4, 0.3, 0.3]], [0, -1], in_scope=[0.9, 0.2]).as_flat_dict()
    assert flat["oos_auroc"] == 1.0
    assert flat["oos_recall"] == 0.0
    assert all(type(value) is float and math.isfinite(value) for value in flat.values())


def test_rows_that_are_all_out_of_scope_are_refused() -> None:
    with pytest.raises(InputError, match="none of the 1 rows is in scope"):
        measured([[0.9, 0.1, 0.0]], [-1])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_answers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(InputError, match="not finite"):
        measured([[bad, 0.1, 0.0]], [0])
    with pytest.raises(InputError, match="not finite"):
        measured([[0.9, 0.1, 0.0]], [0], in_scope=[bad])


@pytest.mark.parametrize(
    ("confidence", "bin_index"),
    [(0.0, 0), (1 / 15, 0), (0.067, 1), (0.2, 2), (0.2001, 3), (0.6, 8), (14 / 15, 13), (1.0, 14)],
)
def test_a_bin_has_its_upper_edge_but_not_its_lower(confidence: float, bin_index: int) -> None:
    bins = reliability_bins(np.array([confidence]), np.array([True]))
    assert [each.rows for each in bins].index(1) == bin_index


@pytest.mark.parametrize(
    ("confidence", "correct", "expected"),
    [
        ([1.0, 1.0], [True, True], 0.0),
        ([1.0, 1.0], [False, False], 1.0),
        ([0.75, 0.75, 0.75, 0.75], [True, True, True, False], 0.0),
        ([0.5, 0.5], [True, True], 0.5),
        ([0.9, 0.9, 0.3], [True, False, False], (2 * 0.4 + 0.3) / 3),
        ([], [], 0.0),
    ],
)
def test_known_calibration_errors(confidence: list[float], correct: list[bool], expected: float) -> None:
    bins = reliability_bins(np.array(confidence), np.array(correct, dtype=np.bool_))
    assert calibration_error(bins) == pytest.approx(expected, abs=1e-12)


def test_calibrated_answers_have_a_small_error_and_overconfident_ones_have_not() -> None:
    generator = np.random.default_rng(5)
    confidence = generator.uniform(0.2, 1.0, 50_000)
    calibrated = generator.random(50_000) < confidence
    assert calibration_error(reliability_bins(confidence, calibrated)) < 0.01
    overconfident = generator.random(50_000) < confidence - 0.2
    assert calibration_error(reliability_bins(confidence, overconfident)) == pytest.approx(0.2, abs=0.01)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_bins_account_for_every_row(rows: list[tuple[float, bool]]) -> None:
    confidence, correct = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    bins = reliability_bins(confidence, correct)
    assert sum(each.rows for each in bins) == len(rows)
    assert sum(each.rows * each.accuracy for each in bins) == pytest.approx(correct.sum())
    assert sum(each.rows * each.confidence for each in bins) == pytest.approx(confidence.sum())
    assert 0.0 <= calibration_error(bins) <= 1.0


def test_predictions_name_labels() -> None:
    rows = predictions(
        np.array([[0.125, 0.75, 0.125], [0.5, 0.4, 0.1]], dtype=np.float32),
        np.array([1, -1]),
        in_scope=np.array([0.9, 0.25]),
        accepted=np.array([True, False]),
        texts=["one", "two"],
        labels=LABELS,
    )
    assert rows == (
        Prediction("one", "b", "b", 0.75, 0.9, True),
        Prediction("two", OUT_OF_SCOPE_LABEL, "a", 0.5, 0.25, False),
    )


@pytest.mark.parametrize(
    ("expected", "answered", "accepted", "misread"),
    [
        ("a", "a", True, False),
        ("a", "a", False, False),
        ("a", "b", True, True),
        ("a", "b", False, True),
        (OUT_OF_SCOPE_LABEL, "b", True, True),
        (OUT_OF_SCOPE_LABEL, "b", False, False),
    ],
)
def test_what_counts_as_misread(expected: str, answered: str, accepted: bool, misread: bool) -> None:
    assert prediction(expected, answered, accepted=accepted).misread is misread


def test_confusions_are_worst_first_with_the_surest_example() -> None:
    rows = [
        prediction("a", "b", 0.3),
        prediction("b", "c", 0.5),
        prediction("b", "c", 0.8),
        prediction("b", "c", 0.6),
        prediction("a", "a"),
        prediction("a", "c", 0.4),
    ]
    assert confusions(rows) == (
        Confusion("b", "c", 3, "b 0.8"),
        Confusion("a", "b", 1, "a 0.3"),
        Confusion("a", "c", 1, "a 0.4"),
    )


def test_each_label_has_its_part() -> None:
    rows = [
        prediction("a", "a"),
        prediction("a", "b", accepted=False),
        prediction("b", "b"),
        prediction(OUT_OF_SCOPE_LABEL, "b"),
    ]
    assert label_metrics(rows, LABELS) == (
        LabelMetrics("a", 2, 1.0, 0.5, 2 / 3, 1),
        LabelMetrics("b", 1, 0.5, 1.0, 2 / 3, 0),
        LabelMetrics("c", 0, 0.0, 0.0, 0.0, 0),
    )
