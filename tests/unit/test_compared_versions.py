from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.loaded import LoadedSkill, load_skill
from skills.comparison import Answered, Change
from skills.correction import CorrectedSentence
from skills.errors import InputError
from skills.metrics import Prediction, intent_metrics
from skills.parse import GrammarAnswer
from skills.skill import OUT_OF_SCOPE_LABEL, SkillDraft, SkillKind, SkillVersion
from skills.slot import SlotLabel
from skills.slot_metrics import AnsweredSpan, SlotPrediction, Span, slot_metrics
from skills.utterance import Utterance
from training.compared_versions import compare_versions
from training.correction_evaluation import CorrectionEvaluation, CorrectionPrediction
from training.evaluation import Evaluation
from training.examiner import AnyEvaluation, Examiner
from training.slot_evaluation import SlotEvaluation

CITY, PERSON = SlotLabel("city", "destination"), SlotLabel("person")
LABELS = ("red", "green", "blue")


class Answers(Examiner):
    """An examiner whose answers are given, by version."""

    def __init__(self, evaluations: dict[str, AnyEvaluation]) -> None:
        self._evaluations = evaluations

    def evaluate(
        self, skill: LoadedSkill, rows: Sequence[Any], *, with_context: bool = True
    ) -> AnyEvaluation:
        return self._evaluations[str(skill.version)]


@pytest.fixture
def make_skill(
    backbone: Backbone, make_draft: Callable[..., SkillDraft], make_version: Callable[..., SkillVersion]
) -> Callable[..., LoadedSkill]:
    def make(kind: SkillKind = SkillKind.INTENT, *, version: int = 1) -> LoadedSkill:
        draft = make_draft(backbone, "toy", kind, seed=version)
        return load_skill(make_version(draft, name="toy", version=version), draft.tensors, backbone)

    return make


def intents(*rows: tuple[str, str, bool]) -> Evaluation:
    """Rows are what was expected, what was answered, and whether it was accepted."""
    places = np.array([LABELS.index(answered) for _, answered, _ in rows])
    metrics = intent_metrics(
        np.eye(3)[places],
        np.array([LABELS.index(right) if right in LABELS else -1 for right, _, _ in rows]),
        in_scope=np.array([0.5] * len(rows)),
        accepted=np.array([accepted for _, _, accepted in rows]),
        texts=["hi"] * len(rows),
        labels=LABELS,
    )
    predictions = [
        Prediction("hi", right, answered, 0.9, 0.5, accepted) for right, answered, accepted in rows
    ]
    return Evaluation(metrics, tuple(predictions))


def compared(make_skill: Callable[..., LoadedSkill], kind: SkillKind, *evaluations: AnyEvaluation) -> Any:
    examiner = Answers(dict(zip(("toy@1", "toy@2"), evaluations, strict=True)))
    first, second = make_skill(kind), make_skill(kind, version=2)
    return compare_versions(first, second, [Utterance("hi", "red")], examiner).comparison


def test_an_intent_is_right_if_a_server_would_say_it(make_skill: Callable[..., LoadedSkill]) -> None:
    found = compared(
        make_skill,
        SkillKind.INTENT,
        intents(("red", "red", True), ("red", "blue", True), (OUT_OF_SCOPE_LABEL, "red", True)),
        intents(("red", "red", False), ("red", "red", True), (OUT_OF_SCOPE_LABEL, "red", False)),
    )
    assert [(row.expected, row.first, row.second, row.change) for row in found.rows] == [
        ("red", Answered("red", True), Answered("out of scope", False), Change.WORSE),
        ("red", Answered("blue", False), Answered("red", True), Change.BETTER),
        ("out of scope", Answered("red", False), Answered("out of scope", True), Change.BETTER),
    ]
    [label] = found.labels
    assert (label.label, label.rows, label.first, label.second) == ("red", 2, pytest.approx(2 / 3), 1.0)


def slots(*rows: tuple[Span, ...], intents: Evaluation | None = None) -> SlotEvaluation:
    """Rows are what was answered; expected is the city."""
    predictions = tuple(
        SlotPrediction("Oslo with Ada", (Span(0, 4, CITY),), tuple(AnsweredSpan(each, 0.9) for each in row))
        for row in rows
    )
    return SlotEvaluation(slot_metrics(predictions), predictions, intents)


def test_slots_are_right_if_all_are(make_skill: Callable[..., LoadedSkill]) -> None:
    city, person = Span(0, 4, CITY), Span(10, 13, PERSON)
    found = compared(make_skill, SkillKind.SLOTS, slots((), (city,)), slots((person, city), (city,)))
    first, second = found.rows
    assert first.expected == "city:destination=Oslo"
    assert first.first == Answered("no slots", False)
    assert first.second == Answered("city:destination=Oslo, person=Ada", False)
    assert (first.change, second.change) == (Change.DIFFERENT, Change.NONE)
    assert [each.label for each in found.labels] == ["slot city:destination"]


def test_a_frame_is_right_if_its_intent_is_too(make_skill: Callable[..., LoadedSkill]) -> None:
    city = Span(0, 4, CITY)
    before = slots((city,), intents=intents(("red", "red", True)))
    after = slots((city,), intents=intents(("red", "blue", True)))
    [row] = compared(make_skill, SkillKind.JOINT, before, after).rows
    assert row.expected == "red: city:destination=Oslo"
    assert row.first == Answered("red: city:destination=Oslo", True)
    assert row.second == Answered("blue: city:destination=Oslo", False)


def test_a_correction_is_right_if_it_is_one_of_them(make_skill: Callable[..., LoadedSkill]) -> None:
    sentence = CorrectedSentence("he go", ("he goes", "he went"))
    [before, after] = [
        CorrectionEvaluation(
            make_metrics(text), (CorrectionPrediction(sentence, GrammarAnswer(False, 0.1, text, ())),)
        )
        for text in ("he go", "he went")
    ]
    found = compared(make_skill, SkillKind.GRAMMAR, before, after)
    assert [(row.expected, row.first, row.second) for row in found.rows] == [
        ("he goes / he went", Answered("he go", False), Answered("he went", True))
    ]
    assert found.labels == ()


def make_metrics(text: str) -> Any:
    from skills.grammar_metrics import grammar_metrics

    return grammar_metrics(["he go"], [text], [["he goes", "he went"]])


def test_real_versions_answer_the_rows_that_both_know(
    make_skill: Callable[..., LoadedSkill], backbone: Backbone
) -> None:
    examiner = Examiner(backbone, Compute("cpu", Precision.FLOAT32, threads=1), "torch")
    rows = [Utterance(text, "red") for text in ("one", "two words", "three words here")]
    first, second = make_skill(version=1), make_skill(version=2)
    found = compare_versions(first, second, [*rows, Utterance("hi", "pink")], examiner)
    assert found.left_out == 1
    assert [row.text for row in found.comparison.rows] == [row.text for row in rows]
    assert found.first_metrics["accuracy"] == found.comparison.first_right
    assert found.second_metrics["accuracy"] == found.comparison.second_right
    assert {each.name: (each.first, each.second) for each in found.metrics}["rows"] == (3.0, 3.0)
    same = compare_versions(first, first, rows, examiner).comparison
    assert len(same.of(Change.NONE)) == 3 and same.labels == () and same.p_value == 1.0


def test_versions_that_cannot_be_compared_are_refused(make_skill: Callable[..., LoadedSkill]) -> None:
    with pytest.raises(InputError, match="toy@1 is of kind intent, toy@2 of kind slots"):
        compare_versions(make_skill(), make_skill(SkillKind.SLOTS, version=2), [], Answers({}))
    with pytest.raises(InputError, match="none of the 1 rows has labels that both toy@1 and toy@2 know"):
        compare_versions(make_skill(), make_skill(version=2), [Utterance("hi", "pink")], Answers({}))


def test_label_scores_are_over_the_rows_that_have_it(make_skill: Callable[..., LoadedSkill]) -> None:
    before = slots((), (Span(0, 4, CITY),))
    found = compared(make_skill, SkillKind.SLOTS, before, slots((), ()))
    [label] = found.labels
    assert (label.rows, label.first, label.second) == (2, pytest.approx(2 / 3), 0.0)
