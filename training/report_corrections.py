"""The page of a grammar skill: its scores, and wrong answers as word diffs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skills.edits import Edit, edits_between
from skills.grammar_metrics import GrammarMetrics
from skills.metrics import reliability_bins
from training.correction_evaluation import CorrectionPrediction
from training.report import SHOWN_ROWS, Report, Subject


@dataclass(frozen=True)
class CorrectionReport(Report):
    """What the page tells of corrections."""

    template = "report_corrections.html.j2"

    subject: Subject
    metrics: GrammarMetrics
    predictions: tuple[CorrectionPrediction, ...]

    def context(self) -> dict[str, Any]:
        wrong = sorted(
            (row for row in self.predictions if not row.is_exact), key=lambda row: not row.sentence.is_right
        )
        return {
            "cards": _cards(self.metrics),
            "wrong": [_wrong(row) for row in wrong[:SHOWN_ROWS]],
            "wrong_count": len(wrong),
            "bins": reliability_bins(
                np.array([max(row.answer.confidence, 1 - row.answer.confidence) for row in self.predictions]),
                np.array([_judged_right(row) for row in self.predictions], dtype=np.bool_),
            ),
        }


@dataclass(frozen=True)
class Card:
    """One number of the page."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Change:
    """Words that were deleted and inserted, and what follows and was kept."""

    deleted: str = ""
    inserted: str = ""
    kept: str = ""


@dataclass(frozen=True)
class WrongRow:
    """One sentence with the changes that were expected, and with those that were answered."""

    expected: tuple[Change, ...]
    answered: tuple[Change, ...]
    confidence: float  # that it is grammatical


def changes(text: str, edits: Sequence[Edit]) -> tuple[Change, ...]:
    """Return a text and its ascending edits as a diff."""
    starts = [edit.start for edit in edits[1:]] + [len(text)]
    first = Change(kept=text[: edits[0].start] if edits else text)
    rest = (
        Change(text[edit.start : edit.end], edit.replacement, text[edit.end : following])
        for edit, following in zip(edits, starts, strict=True)
    )
    return (first, *(rest if edits else ()))


def _wrong(row: CorrectionPrediction) -> WrongRow:
    text = row.sentence.text
    nearest = min((edits_between(text, each) for each in row.sentence.corrections), key=len)
    return WrongRow(changes(text, nearest), changes(text, row.answer.edits), row.answer.confidence)


def _judged_right(row: CorrectionPrediction) -> bool:
    return (row.answer.confidence >= 0.5) == row.sentence.is_right


def _cards(metrics: GrammarMetrics) -> list[Card]:
    shares = (
        ("Exact", metrics.exact, "sentences that became one of their corrections"),
        ("Edit F0.5", metrics.edit_f05, "of words that were changed"),
        ("Edit precision", metrics.edit_precision, "changes that are right"),
        ("Edit recall", metrics.edit_recall, "errors that were corrected"),
        ("ERRANT F0.5", metrics.errant_f05, "as published systems are compared"),
        ("Left alone", metrics.left_alone, "sentences that were not changed"),
        ("False edits", metrics.false_edit_rate, "right sentences that were changed"),
    )
    cards = [Card(name, f"{100 * share:.1f}%", note) for name, share, note in shares if share is not None]
    if metrics.gleu is not None:
        cards.insert(0, Card("GLEU", f"{metrics.gleu:.1f}", "out of 100"))
    return cards
