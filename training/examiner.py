"""Measures skills of any kind on labeled rows, one after another with one engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeAlias

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.corrector import Corrector
from nlu.engine import Engine, make_decoder, make_engine
from nlu.loaded import LoadedSkill
from skills.correction import CorrectedSentence
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.utterance import Utterance
from training.correction_evaluation import CorrectionEvaluation, evaluate_corrections
from training.evaluation import Evaluation, evaluate
from training.slot_evaluation import SlotEvaluation, evaluate_slots

AnyEvaluation: TypeAlias = Evaluation | SlotEvaluation | CorrectionEvaluation


class Examiner:
    """Answers labeled rows with skills of one backbone, as a server would, and compares."""

    def __init__(self, backbone: Backbone, compute: Compute, engine: str = "auto") -> None:
        self._backbone = backbone
        self._compute = compute
        self._name = engine
        self._engine: Engine = make_engine(backbone, compute, engine)

    @cached_property
    def _corrector(self) -> Corrector:
        return Corrector(make_decoder(self._backbone, self._compute, self._name))

    def evaluate(
        self, skill: LoadedSkill, rows: Sequence[Any], *, with_context: bool = True
    ) -> AnyEvaluation:
        """Measure a skill on rows of its kind: utterances, or corrected sentences.

        Args:
            skill: the version.
            rows: what it is to answer.
            with_context: tell a skill of slots which ones a row's dialog had asked for.

        Raises:
            InputError: there are no rows, or one has a label that is not the skill's.
        """
        if skill.grammar is not None:
            return evaluate_corrections(skill, rows, self._backbone, self._engine, self._corrector)
        if skill.slots is not None:
            return evaluate_slots(skill, rows, self._backbone, self._engine, with_context=with_context)
        return evaluate(skill, rows, self._backbone, self._engine)


def knows(skill: LoadedSkill, row: Utterance | CorrectedSentence) -> bool:
    """Whether all labels of a row are the skill's, so that it can be measured on it."""
    if isinstance(row, CorrectedSentence):
        return True
    intents = None if skill.intent is None else {*skill.intent.labels, OUT_OF_SCOPE_LABEL}
    slots = None if skill.slots is None else set(skill.slots.labels)
    return (intents is None or row.intent in intents) and (
        slots is None or slots.issuperset(each.label for each in row.entities)
    )


def flat_metrics(evaluation: AnyEvaluation) -> dict[str, float]:
    """Return all numbers by name, as the catalog has them."""
    if isinstance(evaluation, SlotEvaluation):
        return evaluation.as_flat_dict()
    return evaluation.metrics.as_flat_dict()
