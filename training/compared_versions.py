"""Two versions measured on the same rows, whatever the kind of skill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlu.loaded import LoadedSkill
from skills.comparison import Answered, ComparedRow, Comparison, LabelScore, compare
from skills.errors import InputError
from skills.metrics import Prediction, label_metrics
from skills.skill import SkillVersion
from skills.slot_metrics import SlotPrediction, Span
from training.correction_evaluation import CorrectionEvaluation
from training.evaluation import Evaluation
from training.examiner import AnyEvaluation, Examiner, flat_metrics, knows
from training.slot_evaluation import SlotEvaluation

_OUT_OF_SCOPE = "out of scope"
_NO_SLOTS = "no slots"


@dataclass(frozen=True)
class MetricPair:
    """One metric of both versions; None where one has not measured it."""

    name: str
    first: float | None
    second: float | None


@dataclass(frozen=True)
class ComparedVersions:
    """What became of every row, and all metrics of both versions.

    left_out: rows with labels that only one of the two knows.
    """

    first: SkillVersion
    second: SkillVersion
    comparison: Comparison
    first_metrics: dict[str, float]
    second_metrics: dict[str, float]
    left_out: int

    @property
    def metrics(self) -> tuple[MetricPair, ...]:
        """All metrics, side by side."""
        first, second = self.first_metrics, self.second_metrics
        return tuple(MetricPair(name, first.get(name), second.get(name)) for name in {**first, **second})


def compare_versions(
    first: LoadedSkill, second: LoadedSkill, rows: Sequence[Any], examiner: Examiner
) -> ComparedVersions:
    """Let both versions answer the rows whose labels both know.

    An answer is right if all that a server would say is: an intent that was turned away is wrong.

    Raises:
        InputError: the versions are of different kinds, or there is no row that both know.
    """
    if first.version.kind is not second.version.kind:
        raise InputError(
            f"{first.version} is of kind {first.version.kind}, {second.version} of kind "
            f"{second.version.kind}: compare versions of one kind",
            field="kind",
        )
    shared = _shared(first, second, rows)
    before, after = (examiner.evaluate(skill, shared) for skill in (first, second))
    answers = zip(_rows(before), _rows(after), strict=True)
    comparison = compare(
        [ComparedRow(text, expected, answer, other) for (text, expected, answer), (_, _, other) in answers],
        _label_scores(before, first.version.labels),
        _label_scores(after, second.version.labels),
    )
    return ComparedVersions(
        first=first.version,
        second=second.version,
        comparison=comparison,
        first_metrics=flat_metrics(before),
        second_metrics=flat_metrics(after),
        left_out=len(rows) - len(shared),
    )


def _shared(first: LoadedSkill, second: LoadedSkill, rows: Sequence[Any]) -> list[Any]:
    shared = [row for row in rows if knows(first, row) and knows(second, row)]
    if not shared:
        raise InputError(
            f"none of the {len(rows)} rows has labels that both {first.version} and {second.version} know",
            field="data",
        )
    return shared


def _rows(evaluation: AnyEvaluation) -> list[tuple[str, str, Answered]]:
    """Return each row's text, what was expected, and what was answered."""
    if isinstance(evaluation, Evaluation):
        return [(row.text, _expected(row), _answered(row)) for row in evaluation.predictions]
    if isinstance(evaluation, CorrectionEvaluation):
        return [
            (
                row.sentence.text,
                " / ".join(row.sentence.corrections),
                Answered(row.answer.corrected, row.is_exact),
            )
            for row in evaluation.predictions
        ]
    slots = [
        (
            row.text,
            _frame(row, row.expected),
            Answered(_frame(row, [each.span for each in row.answered]), row.exact),
        )
        for row in evaluation.predictions
    ]
    if evaluation.intents is None:
        return slots
    return [
        (
            text,
            f"{expected}: {frame}",
            Answered(f"{intent.text}: {answer.text}", answer.right and intent.right),
        )
        for (text, frame, answer), (_, expected, intent) in zip(slots, _rows(evaluation.intents), strict=True)
    ]


def _expected(row: Prediction) -> str:
    return _OUT_OF_SCOPE if row.out_of_scope else row.expected


def _answered(row: Prediction) -> Answered:
    text = row.answered if row.accepted else _OUT_OF_SCOPE
    return Answered(text, right=text == _expected(row))


def _frame(row: SlotPrediction, spans: Sequence[Span]) -> str:
    return ", ".join(f"{each.label}={row.text[each.start : each.end]}" for each in sorted(spans)) or _NO_SLOTS


def _label_scores(evaluation: AnyEvaluation, labels: tuple[str, ...]) -> dict[str, LabelScore]:
    """Return F1 by intent and by slot; a grammar skill has neither."""
    if isinstance(evaluation, Evaluation):
        return {
            each.label: LabelScore(each.rows, each.f1)
            for each in label_metrics(evaluation.predictions, labels)
        }
    if isinstance(evaluation, SlotEvaluation):
        slots = {
            f"slot {label}": LabelScore(score.expected, score.f1)
            for label, score in evaluation.metrics.labels.items()
        }
        return slots if evaluation.intents is None else _label_scores(evaluation.intents, labels) | slots
    return {}
