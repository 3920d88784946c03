"""How well a skill of any kind did, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from skills.skill import SkillKind
from training.cli.output import Table, cell, percent

if TYPE_CHECKING:
    from skills.metrics import Confusion, IntentMetrics
    from skills.slot_metrics import SlotMetrics, SpanScore
    from training.correction_evaluation import CorrectionEvaluation
    from training.evaluation import Evaluation
    from training.slot_evaluation import SlotEvaluation

_WORST = 5  # confusions or slots in a summary; a report has all


@dataclass(frozen=True)
class Scores:
    """What is told of an evaluation.

    Args:
        measured: how many rows were measured, in words.
        rows: names and values for a summary; what was not measured is left out.
        tables: what is worst.
        document: all numbers, for JSON.
    """

    measured: str
    rows: list[tuple[Text, Text]]
    tables: list[Table]
    document: dict[str, Any]


def scores(kind: SkillKind, evaluation: Any) -> Scores:
    """Return what is told of the evaluation of a skill of this kind; None if nothing was held out."""
    return Scores("none", [], [], {}) if evaluation is None else _SCORES[kind](evaluation)


def _intents(evaluation: Evaluation) -> Scores:
    metrics = evaluation.metrics
    return Scores(
        measured=f"{metrics.rows:,} in scope, {metrics.oos_rows:,} out of scope",
        rows=_cells(_intent_values(metrics)),
        tables=[_confusion_table(metrics.confusions)] if metrics.confusions else [],
        document=asdict(metrics),
    )


def _slots(evaluation: SlotEvaluation) -> Scores:
    metrics, intents = evaluation.metrics, evaluation.intents
    values = _slot_values(metrics)
    document = {**metrics.as_flat_dict(), "labels": _label_documents(metrics)}
    tables = [_label_table(metrics)]
    if intents is not None:
        values |= {f"intent {name}": value for name, value in _intent_values(intents.metrics).items()}
        tables += [_confusion_table(intents.metrics.confusions)] if intents.metrics.confusions else []
        document["intents"] = asdict(intents.metrics)
    return Scores(f"{metrics.rows:,} with {metrics.spans.expected:,} slots", _cells(values), tables, document)


def _corrections(evaluation: CorrectionEvaluation) -> Scores:
    metrics = evaluation.metrics
    values = {
        "GLEU": None if metrics.gleu is None else f"{metrics.gleu:.1f}",
        "ERRANT F0.5": _share(metrics.errant_f05),
        "edit F0.5": percent(metrics.edit_f05),
        "edit precision": percent(metrics.edit_precision),
        "edit recall": percent(metrics.edit_recall),
        "became a correction": percent(metrics.exact),
        "left alone": percent(metrics.left_alone),
        "right, but changed": _share(metrics.false_edit_rate),
    }
    measured = {name: value for name, value in values.items() if value is not None}
    return Scores(f"{metrics.rows:,} sentences", _cells(measured), [], metrics.as_flat_dict())


_SCORES: dict[SkillKind, Callable[[Any], Scores]] = {
    SkillKind.INTENT: _intents,
    SkillKind.SLOTS: _slots,
    SkillKind.JOINT: _slots,
    SkillKind.GRAMMAR: _corrections,
}


def _intent_values(metrics: IntentMetrics) -> dict[str, str]:
    values = {
        "accuracy": percent(metrics.accuracy),
        "macro F1": percent(metrics.macro_f1),
        "calibration error (ECE)": f"{metrics.ece:.3f}",
        "in scope, accepted": percent(metrics.in_scope_accepted),
    }
    if metrics.oos_auroc is not None:
        values["out-of-scope AUROC"] = f"{metrics.oos_auroc:.3f}"
        values["out of scope, rejected"] = percent(metrics.oos_recall)
    return values


def _slot_values(metrics: SlotMetrics) -> dict[str, str]:
    values = {
        "slot F1": percent(metrics.spans.f1),
        "slot precision": percent(metrics.spans.precision),
        "slot recall": percent(metrics.spans.recall),
        "all slots right": percent(metrics.frame_accuracy),
        "slot calibration error (ECE)": f"{metrics.ece:.3f}",
    }
    if metrics.whole_frame is not None:
        values["intent and all slots right"] = percent(metrics.whole_frame)
    return values


def _confusion_table(confusions: tuple[Confusion, ...]) -> Table:
    return Table(
        ("rows", "expected", "answered", "such as"),
        [
            (cell(each.count), cell(each.expected), cell(each.answered), cell(each.example_text, "dim"))
            for each in confusions[:_WORST]
        ],
        title="worst confusions",
    )


def _label_table(metrics: SlotMetrics) -> Table:
    worst = sorted(metrics.labels.items(), key=lambda item: item[1].right - item[1].expected)
    return Table(
        ("slot", "rows", "precision", "recall", "F1"),
        [
            (cell(label), cell(each.expected), *(cell(percent(share)) for share in _of(each)))
            for label, each in worst[:_WORST]
        ],
        title="slots most often missed",
    )


def _label_documents(metrics: SlotMetrics) -> dict[str, Any]:
    return {
        str(label): {**asdict(each), **dict(zip(("precision", "recall", "f1"), _of(each), strict=True))}
        for label, each in metrics.labels.items()
    }


def _of(score: SpanScore) -> tuple[float, float, float]:
    return score.precision, score.recall, score.f1


def _share(share: float | None) -> str | None:
    return None if share is None else percent(share)


def _cells(values: Mapping[str, str]) -> list[tuple[Text, Text]]:
    return [(cell(name), cell(value)) for name, value in values.items()]
