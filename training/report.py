"""One HTML page that tells how well a skill was trained; it needs nothing from the network."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np

from skills.errors import InputError
from skills.metrics import (
    Confusion,
    IntentMetrics,
    Prediction,
    ReliabilityBin,
    label_metrics,
    reliability_bins,
)
from skills.skill import OUT_OF_SCOPE_LABEL, Method, Provenance

MATRIX_LABELS = 30  # more cannot be read on a laptop's screen
MISREAD_ROWS = 500  # keeps the page of a large test under a megabyte
HISTOGRAM_BINS = 20

_OTHER = "other"


@dataclass(frozen=True)
class IntentReport:
    """What the page tells of one training or evaluation of an intent skill."""

    title: str  # the skill, perhaps with its version
    measured_on: str  # the file or split that the predictions are of
    method: Method
    backbone: str  # SHA-256 of its weights
    labels: tuple[str, ...]
    provenance: Provenance
    metrics: IntentMetrics
    predictions: tuple[Prediction, ...]
    warnings: tuple[str, ...] = ()


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


def write_report(path: Path, report: IntentReport) -> None:
    """Write the page; another page at `path` is replaced at once or not at all.

    Raises:
        InputError: the page cannot be written there.
    """
    page = render(report)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        Path(temporary).chmod(0o644)  # a temporary file is readable by its owner only
        Path(temporary).replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def render(report: IntentReport) -> str:
    """Return the page as HTML; every text of the data is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("training", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    wrong = sorted((row for row in report.predictions if _wrong(row)), key=lambda row: -row.confidence)
    return environment.get_template("report.html.j2").render(
        report=report,
        metrics=report.metrics,
        oos_label=OUT_OF_SCOPE_LABEL,
        matrix=confusion_matrix(report.predictions, report.labels, report.metrics.confusions),
        bins=_bins(report.predictions),
        by_label=label_metrics(report.predictions, report.labels),
        misread=wrong[:MISREAD_ROWS],
        misread_count=len(wrong),
        histogram=scope_histogram(report.predictions) if report.metrics.oos_rows else (),
    )


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


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"report {path} cannot be written ({error.strerror}): name a file in a folder that exists "
        "and can be written to",
        field="report",
    )
