"""The page of an intent skill: confusions, reliability, scope, and every misread utterance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skills.metrics import (
    Confusion,
    IntentMetrics,
    LabelMetrics,
    Prediction,
    ReliabilityBin,
    label_metrics,
    reliability_bins,
)
from skills.skill import OUT_OF_SCOPE_LABEL
from training.report import SHOWN_ROWS, Report, Subject

MATRIX_LABELS = 30  # more cannot be read on a laptop's screen
HISTOGRAM_BINS = 20

_OTHER = "other"


@dataclass(frozen=True)
class IntentReport(Report):
    """What the page tells of intents."""

    template = "report_intents.html.j2"

    subject: Subject
    labels: tuple[str, ...]
    metrics: IntentMetrics
    predictions: tuple[Prediction, ...]

    def context(self) -> dict[str, Any]:
        return intents_context(self.labels, self.metrics, self.predictions)


def intents_context(
    labels: tuple[str, ...], metrics: IntentMetrics, rows: tuple[Prediction, ...]
) -> dict[str, Any]:
    """Return what the templates show of intents."""
    wrong = sorted((row for row in rows if _wrong(row)), key=lambda row: -row.confidence)
    return {
        "oos_label": OUT_OF_SCOPE_LABEL,
        "intents": Intents(
            labels=labels,
            metrics=metrics,
            rows=len(rows),
            matrix=confusion_matrix(rows, labels, metrics.confusions),
            bins=_bins(rows),
            by_label=label_metrics(rows, labels),
            misread=tuple(wrong[:SHOWN_ROWS]),
            misread_count=len(wrong),
            histogram=scope_histogram(rows) if metrics.oos_rows else (),
        ),
    }


@dataclass(frozen=True)
class ConfusionMatrix:
    """Rows by expected and answered label; of many labels only those most confused, the rest as "other"."""

    expected: tuple[str, ...]
    answered: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]  # by expected, then answered
    partial: bool


@dataclass(frozen=True)
class HistogramBin:
    """Shares of the rows in and out of scope whose probability of being in scope is in [lower, upper)."""

    lower: float
    upper: float
    inside: float
    outside: float


@dataclass(frozen=True)
class Intents:
    """All that is shown of intents."""

    labels: tuple[str, ...]
    metrics: IntentMetrics
    rows: int
    matrix: ConfusionMatrix
    bins: tuple[ReliabilityBin, ...]
    by_label: tuple[LabelMetrics, ...]
    misread: tuple[Prediction, ...]  # the first of them
    misread_count: int
    histogram: tuple[HistogramBin, ...]


def confusion_matrix(
    rows: Sequence[Prediction], labels: Sequence[str], confusions: Sequence[Confusion]
) -> ConfusionMatrix:
    """Count the rows in scope by expected and best label."""
    partial = len(labels) > MATRIX_LABELS
    shown = _most_confused(confusions) if partial else tuple(labels)
    answered = (*shown, _OTHER) if partial else shown
    counts = Counter(
        (row.expected, row.answered if row.answered in shown else _OTHER)
        for row in rows
        if row.expected in shown
    )
    return ConfusionMatrix(
        expected=shown,
        answered=answered,
        counts=tuple(tuple(counts[right, best] for best in answered) for right in shown),
        partial=partial,
    )


def scope_histogram(rows: Sequence[Prediction]) -> tuple[HistogramBin, ...]:
    """Return where rows in and out of scope lie on the probability of being in scope."""
    edges = np.linspace(0.0, 1.0, HISTOGRAM_BINS + 1)
    inside = np.histogram([row.in_scope for row in rows if not row.out_of_scope], edges)[0]
    outside = np.histogram([row.in_scope for row in rows if row.out_of_scope], edges)[0]
    shares = zip(inside / max(inside.sum(), 1), outside / max(outside.sum(), 1), strict=True)
    return tuple(
        HistogramBin(float(edges[i]), float(edges[i + 1]), float(within), float(without))
        for i, (within, without) in enumerate(shares)
    )


def _most_confused(confusions: Sequence[Confusion]) -> tuple[str, ...]:
    """Return labels in the order of their worst confusion, both sides of a confusion together."""
    shown: dict[str, None] = {}
    for confusion in confusions:
        pair = {confusion.expected: None, confusion.answered: None}
        if OUT_OF_SCOPE_LABEL not in pair and len(shown | pair) <= MATRIX_LABELS:
            shown |= pair
    return tuple(shown)


def _bins(rows: Sequence[Prediction]) -> tuple[ReliabilityBin, ...]:
    inside = [row for row in rows if not row.out_of_scope]
    confidence = np.array([row.confidence for row in inside])
    return reliability_bins(confidence, np.array([not row.misread for row in inside], dtype=np.bool_))


def _wrong(row: Prediction) -> bool:
    return row.misread or not (row.accepted or row.out_of_scope)
