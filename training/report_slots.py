"""The page of a skill of slots, or of intents and slots: every slot's scores, and errors in colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from skills.metrics import IntentMetrics, Prediction
from skills.slot import SlotLabel
from skills.slot_metrics import (
    AnsweredSpan,
    SlotMetrics,
    SlotPrediction,
    Span,
    SpanScore,
    slot_reliability_bins,
)
from training.report import SHOWN_ROWS, Report, Subject
from training.report_intents import intents_context

HUES = 8  # colours of the page, given to slots in turn


@dataclass(frozen=True)
class IntentPart:
    """The intents of a joint skill."""

    labels: tuple[str, ...]
    metrics: IntentMetrics
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True)
class SlotReport(Report):
    """What the page tells of slots."""

    template = "report_slots.html.j2"

    subject: Subject
    metrics: SlotMetrics
    predictions: tuple[SlotPrediction, ...]
    intents: IntentPart | None = None

    def context(self) -> dict[str, Any]:
        hues = {label: place % HUES for place, label in enumerate(self.metrics.labels)}
        shown = self.metrics.misread[:SHOWN_ROWS]
        part = self.intents
        intents = intents_context(part.labels, part.metrics, part.predictions) if part else {"intents": None}
        return {
            "metrics": self.metrics,
            "labels": [
                LabelRow(str(label), hues[label], score) for label, score in self.metrics.labels.items()
            ],
            "misread": [_misread(row, hues) for row in shown],
            "misread_count": len(self.metrics.misread),
            "slot_bins": slot_reliability_bins(self.predictions),
            **intents,
        }


@dataclass(frozen=True)
class LabelRow:
    """A line of the table of slots."""

    name: str
    hue: int
    score: SpanScore


@dataclass(frozen=True)
class Piece:
    """A part of a text; without a label it is not marked."""

    text: str
    label: str = ""
    hue: int = 0
    right: bool = True
    confidence: float | None = None


@dataclass(frozen=True)
class MisreadRow:
    """One text twice: as it is marked, and as it was answered."""

    expected: tuple[Piece, ...]
    answered: tuple[Piece, ...]


def pieces(text: str, marked: Sequence[Piece], spans: Iterable[Span]) -> tuple[Piece, ...]:
    """Return the whole text in pieces, those of the ascending spans as given."""
    parts: list[Piece] = []
    end = 0
    for span, piece in zip(spans, marked, strict=True):
        parts += [Piece(text[end : span.start]), piece]
        end = span.end
    return tuple(part for part in (*parts, Piece(text[end:])) if part.text)


def _misread(row: SlotPrediction, hues: dict[SlotLabel, int]) -> MisreadRow:
    answered = [each.span for each in row.answered]
    return MisreadRow(
        expected=_marked(
            row.text, [AnsweredSpan(each, 1.0) for each in row.expected], answered, hues, sure=True
        ),
        answered=_marked(row.text, row.answered, row.expected, hues),
    )


def _marked(
    text: str,
    found: Sequence[AnsweredSpan],
    right: Sequence[Span],
    hues: dict[SlotLabel, int],
    *,
    sure: bool = False,
) -> tuple[Piece, ...]:
    """Return the text with spans marked, those that are not among `right` as wrong."""
    marked = [
        Piece(
            text=text[each.span.start : each.span.end],
            label=str(each.span.label),
            hue=hues[each.span.label],
            right=each.span in right,
            confidence=None if sure else each.confidence,
        )
        for each in found
    ]
    return pieces(text, marked, [each.span for each in found])
