"""The HTML page of a training or an evaluation, for each kind of skill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skills.errors import InputError
from skills.skill import SkillKind

if TYPE_CHECKING:
    from skills.skill import SkillVersion
    from training.advice import Advice
    from training.correction_evaluation import CorrectionEvaluation
    from training.evaluation import Evaluation
    from training.report import Report, Subject
    from training.slot_evaluation import SlotEvaluation


def check_report(path: Path) -> None:
    """Check where the report goes before minutes are spent on what it reports.

    Raises:
        InputError: it cannot be written there.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(
            f"report {path} cannot be written: name a file in a folder that exists", field="report"
        )


def write_page(
    path: Path,
    version: SkillVersion,
    evaluation: Any,
    measured_on: str,
    warnings: tuple[str, ...] = (),
    advice: Advice | None = None,
) -> None:
    """Write the page of a version's kind, with advice about the data that it was trained on.

    Raises:
        InputError: it cannot be written there.
    """
    from training.report import Subject, write_report

    subject = Subject.of(version, measured_on, warnings)
    write_report(path, _PAGES[version.kind](version, subject, evaluation), advice)


def _intents(version: SkillVersion, subject: Subject, evaluation: Evaluation) -> Report:
    from training.report_intents import IntentReport

    return IntentReport(subject, version.labels, evaluation.metrics, evaluation.predictions)


def _slots(version: SkillVersion, subject: Subject, evaluation: SlotEvaluation) -> Report:
    from training.report_slots import IntentPart, SlotReport

    intents = evaluation.intents
    part = None if intents is None else IntentPart(version.labels, intents.metrics, intents.predictions)
    return SlotReport(subject, evaluation.metrics, evaluation.predictions, part)


def _corrections(version: SkillVersion, subject: Subject, evaluation: CorrectionEvaluation) -> Report:
    from training.report_corrections import CorrectionReport

    return CorrectionReport(subject, evaluation.metrics, evaluation.predictions)


_PAGES: dict[SkillKind, Callable[[SkillVersion, Subject, Any], Report]] = {
    SkillKind.INTENT: _intents,
    SkillKind.SLOTS: _slots,
    SkillKind.JOINT: _slots,
    SkillKind.GRAMMAR: _corrections,
}
