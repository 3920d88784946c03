"""How well a slot skill answers: a slot counts only with its exact span, its role and its group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from skills.errors import InputError
from skills.metrics import ReliabilityBin, calibration_error, reliability_bins
from skills.slot import SlotLabel
from skills.utterance import Utterance


@dataclass(frozen=True, order=True)
class Span:
    """A marked part of a text, in code points, the end exclusive."""

    start: int
    end: int
    label: SlotLabel


@dataclass(frozen=True, order=True)
class AnsweredSpan:
    """A part of a text that a skill marked, and how sure it was."""

    span: Span
    confidence: float


@dataclass(frozen=True)
class SlotPrediction:
    """A held-out utterance, what is marked in it, and what a skill marked."""

    text: str
    expected: tuple[Span, ...]
    answered: tuple[AnsweredSpan, ...]
    intent_right: bool | None = None  # of a joint skill

    @property
    def exact(self) -> bool:
        """Whether all slots were answered, and nothing else."""
        return Counter(self.expected) == Counter(each.span for each in self.answered)

    @property
    def whole_frame(self) -> bool:
        """Whether the slots are exact and the intent, if there is one, is right."""
        return self.exact and self.intent_right is not False


@dataclass(frozen=True)
class SpanScore:
    """How many spans there were, were answered, and were both; with none, precision, recall and F1 are 0."""

    expected: int
    answered: int
    right: int

    @property
    def precision(self) -> float:
        """Share of answered spans that are right."""
        return self.right / max(self.answered, 1)

    @property
    def recall(self) -> float:
        """Share of expected spans that were answered."""
        return self.right / max(self.expected, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.right / max(self.expected + self.answered, 1)


@dataclass(frozen=True)
class SlotMetrics:
    """Entity-level scores over all rows; `whole_frame` is None without intents."""

    rows: int
    spans: SpanScore
    frame_accuracy: float  # share of rows whose slots are all exact
    whole_frame: float | None  # share of rows whose slots are all exact and whose intent is right
    ece: float  # of the confidences of answered spans
    labels: dict[SlotLabel, SpanScore]  # sorted
    misread: tuple[SlotPrediction, ...]  # rows whose slots are not exact, the surest wrong answer first

    def as_flat_dict(self) -> dict[str, float]:
        """Return the numbers by name, for the catalog."""
        values = {
            "rows": self.rows,
            "slots": self.spans.expected,
            "slot_precision": self.spans.precision,
            "slot_recall": self.spans.recall,
            "slot_f1": self.spans.f1,
            "frame_accuracy": self.frame_accuracy,
            "whole_frame": self.whole_frame,
            "slot_ece": self.ece,
        }
        return {name: float(value) for name, value in values.items() if value is not None}


def expected_spans(row: Utterance) -> tuple[Span, ...]:
    """Return what is marked in a row."""
    return tuple(Span(each.start, each.end, each.label) for each in row.entities)


def slot_metrics(predictions: Sequence[SlotPrediction]) -> SlotMetrics:
    """Measure answers.

    Raises:
        InputError: there are no rows, or a confidence is not a finite number.
    """
    if not predictions:
        raise InputError("there are no rows to measure: add utterances with slots", field="data")
    with_intents = [each for each in predictions if each.intent_right is not None]
    return SlotMetrics(
        rows=len(predictions),
        spans=_score(predictions),
        frame_accuracy=_share(each.exact for each in predictions),
        whole_frame=_share(each.whole_frame for each in with_intents) if with_intents else None,
        ece=calibration_error(slot_reliability_bins(predictions)),
        labels=_label_scores(predictions),
        misread=tuple(sorted((each for each in predictions if not each.exact), key=_doubt)),
    )


def slot_reliability_bins(predictions: Iterable[SlotPrediction]) -> tuple[ReliabilityBin, ...]:
    """Sort answered spans into bins of confidence.

    Raises:
        InputError: a confidence is not a finite number.
    """
    answers = [(each.confidence, each.span in row.expected) for row in predictions for each in row.answered]
    confidence = np.array([each for each, _ in answers], dtype=np.float64)
    if not np.isfinite(confidence).all():
        raise InputError("answers hold values that are not finite: train again with a lower learning rate")
    return reliability_bins(confidence, np.array([right for _, right in answers], dtype=np.bool_))


def _score(predictions: Sequence[SlotPrediction], label: SlotLabel | None = None) -> SpanScore:
    expected = answered = right = 0
    for row in predictions:
        marked = Counter(each for each in row.expected if label in (None, each.label))
        found = Counter(each.span for each in row.answered if label in (None, each.span.label))
        expected += marked.total()
        answered += found.total()
        right += (marked & found).total()
    return SpanScore(expected, answered, right)


def _label_scores(predictions: Sequence[SlotPrediction]) -> dict[SlotLabel, SpanScore]:
    labels = {each.label for row in predictions for each in row.expected}
    labels |= {each.span.label for row in predictions for each in row.answered}
    return {label: _score(predictions, label) for label in sorted(labels)}


def _share(flags: Iterable[bool]) -> float:
    return float(np.mean(list(flags)))


def _doubt(row: SlotPrediction) -> float:
    """Return minus the confidence of the surest wrong answer: 0 if a slot was only missed."""
    return -max((each.confidence for each in row.answered if each.span not in row.expected), default=0.0)
