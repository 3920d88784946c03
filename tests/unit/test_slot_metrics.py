from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nervaluate.evaluator import Evaluator

from skills.errors import InputError
from skills.slot import SlotLabel
from skills.slot_metrics import AnsweredSpan, SlotPrediction, Span, SpanScore, expected_spans, slot_metrics
from skills.utterance import Entity, Utterance

CITY, TO, DATE = SlotLabel("city"), SlotLabel("city", "to"), SlotLabel("date")


def answered(start: int, end: int, label: SlotLabel, confidence: float = 0.9) -> AnsweredSpan:
    return AnsweredSpan(Span(start, end, label), confidence)


ROWS = [
    SlotPrediction(
        "all right", (Span(0, 3, CITY), Span(4, 9, DATE)), (answered(0, 3, CITY), answered(4, 9, DATE))
    ),
    SlotPrediction("too long", (Span(0, 3, CITY),), (answered(0, 8, CITY, 0.4),)),
    SlotPrediction("no role", (Span(0, 2, TO),), (answered(0, 2, CITY, 0.8),)),
    SlotPrediction("one missed", (Span(0, 3, DATE), Span(4, 10, DATE)), (answered(4, 10, DATE),)),
    SlotPrediction("none", (), ()),
]


def test_a_hand_computed_example() -> None:
    metrics = slot_metrics(ROWS)
    assert (metrics.rows, metrics.spans) == (5, SpanScore(expected=6, answered=5, right=3))
    assert metrics.spans.precision == 3 / 5
    assert metrics.spans.recall == 3 / 6
    assert metrics.spans.f1 == pytest.approx(6 / 11)
    assert metrics.frame_accuracy == 2 / 5
    assert metrics.whole_frame is None
    assert metrics.ece == pytest.approx((3 * 0.1 + 0.8 + 0.4) / 5)
    assert list(metrics.labels.items()) == [
        (CITY, SpanScore(2, 3, 1)),
        (TO, SpanScore(1, 0, 0)),
        (DATE, SpanScore(3, 2, 2)),
    ]
    assert [row.text for row in metrics.misread] == ["no role", "too long", "one missed"]


def test_the_flat_dict_has_all_numbers() -> None:
    flat = slot_metrics(ROWS).as_flat_dict()
    assert list(flat) == [
        "rows",
        "slots",
        "slot_precision",
        "slot_recall",
        "slot_f1",
        "frame_accuracy",
        "slot_ece",
    ]
    assert all(type(value) is float and math.isfinite(value) for value in flat.values())


@pytest.mark.parametrize(("intent_right", "whole"), [(True, 1.0), (False, 0.0)])
def test_a_whole_frame_needs_the_intent(intent_right: bool, whole: float) -> None:
    exact = SlotPrediction("Rome", (Span(0, 4, CITY),), (answered(0, 4, CITY),), intent_right)
    missed = SlotPrediction("Rome", (Span(0, 4, CITY),), (), True)
    assert slot_metrics([exact]).as_flat_dict()["whole_frame"] == whole
    assert slot_metrics([exact]).frame_accuracy == 1.0
    assert slot_metrics([exact, missed]).whole_frame == whole / 2


def test_rows_without_slots_have_no_f1_and_are_exact() -> None:
    metrics = slot_metrics([ROWS[-1]])
    assert (metrics.spans.f1, metrics.frame_accuracy, metrics.ece) == (0.0, 1.0, 0.0)


def test_a_span_answered_twice_is_right_once() -> None:
    twice = SlotPrediction("Rome", (Span(0, 4, CITY),), (answered(0, 4, CITY), answered(0, 4, CITY)))
    assert slot_metrics([twice]).spans == SpanScore(expected=1, answered=2, right=1)
    assert not twice.exact


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="no rows to measure"):
        slot_metrics([])
    with pytest.raises(InputError, match="not finite"):
        slot_metrics([SlotPrediction("a", (), (answered(0, 1, CITY, math.nan),))])


def test_what_is_marked_in_a_row_is_expected() -> None:
    row = Utterance("to Rome", "", entities=(Entity("city", 3, 7, "Roma", role="to"),))
    assert expected_spans(row) == (Span(3, 7, TO),)


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    edges = sorted(draw(st.lists(st.integers(0, 12), max_size=8, unique=True)))
    labels = draw(st.lists(st.sampled_from([CITY, TO, DATE]), min_size=4, max_size=4))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return tuple(Span(start, end, label) for (start, end), label in zip(pairs, labels, strict=False))


@given(st.lists(st.tuples(spans(), spans()), min_size=1, max_size=6))
def test_scores_are_those_of_nervaluate(rows: list[tuple[tuple[Span, ...], tuple[Span, ...]]]) -> None:
    metrics = slot_metrics(
        [
            SlotPrediction("", marked, tuple(AnsweredSpan(each, 1.0) for each in found))
            for marked, found in rows
        ]
    )

    def listed(each: tuple[Span, ...]) -> list[dict[str, object]]:
        return [{"label": str(span.label), "start": span.start, "end": span.end - 1} for span in each]

    marked, found = [listed(each) for each, _ in rows], [listed(each) for _, each in rows]
    theirs = Evaluator(marked, found, tags=["city", "city:to", "date"], loader="dict").evaluate()
    overall = theirs["overall"]["strict"]
    assert metrics.spans.right == overall.correct
    assert metrics.spans.precision == pytest.approx(overall.precision)
    assert metrics.spans.recall == pytest.approx(overall.recall)
    assert metrics.spans.f1 == pytest.approx(overall.f1)
    for label, score in metrics.labels.items():
        assert score.right == theirs["entities"][str(label)]["strict"].correct
        assert score.recall == pytest.approx(theirs["entities"][str(label)]["strict"].recall)
