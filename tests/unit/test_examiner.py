from __future__ import annotations

from collections.abc import Callable

import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.loaded import LoadedSkill, load_skill
from skills.correction import CorrectedSentence
from skills.errors import InputError
from skills.skill import SkillDraft, SkillKind, SkillVersion
from skills.utterance import Entity, Utterance
from training.examiner import Examiner, flat_metrics, knows

CITY = Entity("city", 0, 4, "Oslo", "destination")
TOWN = Entity("town", 0, 4, "Oslo")


@pytest.fixture
def make_skill(
    backbone: Backbone, make_draft: Callable[..., SkillDraft], make_version: Callable[..., SkillVersion]
) -> Callable[[SkillKind], LoadedSkill]:
    def make(kind: SkillKind) -> LoadedSkill:
        draft = make_draft(backbone, "toy", kind)
        return load_skill(make_version(draft), draft.tensors, backbone)

    return make


@pytest.fixture(scope="module")
def examiner(backbone: Backbone) -> Examiner:
    return Examiner(backbone, Compute("cpu", Precision.FLOAT32, threads=1), "torch")


@pytest.mark.parametrize(
    ("kind", "row", "metric"),
    [
        (SkillKind.INTENT, Utterance("Oslo", "red"), "accuracy"),
        (SkillKind.SLOTS, Utterance("Oslo", "", entities=(CITY,)), "slot_f1"),
        (SkillKind.JOINT, Utterance("Oslo", "red", entities=(CITY,)), "whole_frame"),
        (SkillKind.GRAMMAR, CorrectedSentence("Oslo are big", ("Oslo is big",)), "exact"),
    ],
)
def test_every_kind_is_measured(
    make_skill: Callable[[SkillKind], LoadedSkill],
    examiner: Examiner,
    kind: SkillKind,
    row: Utterance | CorrectedSentence,
    metric: str,
) -> None:
    skill = make_skill(kind)
    assert knows(skill, row)
    evaluation = examiner.evaluate(skill, [row, row])
    assert len(evaluation.predictions) == 2
    assert flat_metrics(evaluation)["rows"] == 2
    assert metric in flat_metrics(evaluation)


def test_a_context_is_told_or_not(make_skill: Callable[[SkillKind], LoadedSkill], examiner: Examiner) -> None:
    row = Utterance("Oslo or Bergen in the rain", "", expected_slots=("city",))
    told, untold = (
        examiner.evaluate(make_skill(SkillKind.SLOTS), [row], with_context=flag).predictions
        for flag in (True, False)
    )
    assert told != untold


@pytest.mark.parametrize(
    ("kind", "row", "known"),
    [
        (SkillKind.INTENT, Utterance("hi", "red"), True),
        (SkillKind.INTENT, Utterance("hi", "__oos__"), True),
        (SkillKind.INTENT, Utterance("hi", "pink"), False),
        (SkillKind.INTENT, Utterance("Oslo", "red", entities=(TOWN,)), True),
        (SkillKind.SLOTS, Utterance("Oslo", "pink", entities=(CITY,)), True),
        (SkillKind.SLOTS, Utterance("Oslo", "", entities=(CITY, TOWN)), False),
        (SkillKind.JOINT, Utterance("Oslo", "red", entities=(TOWN,)), False),
        (SkillKind.JOINT, Utterance("Oslo", "pink", entities=(CITY,)), False),
    ],
)
def test_rows_that_a_skill_knows_can_be_measured(
    make_skill: Callable[[SkillKind], LoadedSkill],
    examiner: Examiner,
    kind: SkillKind,
    row: Utterance,
    known: bool,
) -> None:
    skill = make_skill(kind)
    assert knows(skill, row) is known
    fine = Utterance("hello", "red")
    if known:
        examiner.evaluate(skill, [fine, row])
    else:
        with pytest.raises(InputError, match="is not one of"):
            examiner.evaluate(skill, [fine, row])
