"""From data to a trained draft, and the same one wherever the data came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.loaded import load_skill
from skills.correction import CorrectedSentence
from skills.errors import InputError
from skills.formats import PhraseKind, PhraseList
from skills.resolution import SlotType, ValueKind
from skills.skill import OUT_OF_SCOPE_LABEL, SkillDraft, SkillKind, SkillVersion
from skills.training_data import TrainingData
from skills.utterance import Entity, Utterance
from training.checkpoint import Checkpoint
from training.config import CONFIGS, TrainingConfig
from training.recipes import prepare

FLOAT32 = Compute("cpu", Precision.FLOAT32, threads=1)
CITIES = ("Oslo", "Rome", "Lisbon", "Bergen", "Porto")
STEPS = {"min_steps": 1, "max_steps": 1, "batch_rows": 4, "prompt_length": 2}


def utterances() -> tuple[Utterance, ...]:
    rows: list[Utterance] = []
    for intent, words in (("book", "fly to "), ("ask", "is there snow in ")):
        for city in CITIES:
            span = (len(words), len(words + city), city)
            rows.append(Utterance(words + city, intent, "a.jsonl", len(rows), (Entity("city", *span),)))
    return (*rows, Utterance("sing a song", OUT_OF_SCOPE_LABEL), Utterance("tell a joke", OUT_OF_SCOPE_LABEL))


def data(kind: SkillKind) -> TrainingData:
    if kind is SkillKind.GRAMMAR:
        wrong = [CorrectedSentence(f"she live in {city}", (f"She lives in {city}.",)) for city in CITIES]
        right = [CorrectedSentence(f"We go to {city}.", (f"We go to {city}.",)) for city in CITIES]
        return TrainingData(kind, (*wrong, *right))
    if kind is SkillKind.INTENT:
        return TrainingData(kind, tuple(replace(row, entities=()) for row in utterances()))
    phrases = (PhraseList(PhraseKind.LOOKUP, "city", ("Kyiv",)),)
    return TrainingData(
        kind, utterances(), None, phrases, {"city": SlotType(ValueKind.TEXT, {"Oslo": ("OSL",)})}
    )


def config(kind: SkillKind) -> TrainingConfig:
    return CONFIGS[kind].make(**STEPS, **({"dev_share": 0.4} if kind is SkillKind.GRAMMAR else {}))


def bare(draft: SkillDraft) -> SkillDraft:
    return replace(draft, provenance=replace(draft.provenance, seconds=0.0))


@pytest.mark.parametrize("kind", SkillKind)
def test_data_that_was_stored_makes_the_same_skill(backbone: Backbone, kind: SkillKind) -> None:
    stored = TrainingData.from_bytes(data(kind).to_bytes())
    steps: list[str] = []

    first, second = (
        prepare("trip", each, config(kind)).train(backbone, FLOAT32, lambda run, progress: steps.append(run))
        for each in (data(kind), stored)
    )

    assert (first.draft.name, first.draft.kind) == ("trip", kind)
    assert bare(first.draft) == bare(second.draft)
    assert "tune" in steps
    if kind in (SkillKind.SLOTS, SkillKind.JOINT):
        values = first.draft.head["slots"]["schema"]["city"]["values"]
        assert values == {"Oslo": ["OSL"], "Kyiv": []}


@pytest.mark.parametrize("kind", [SkillKind.INTENT, SkillKind.SLOTS])
def test_rows_that_are_called_held_out_are_never_learned(backbone: Backbone, kind: SkillKind) -> None:
    rows: Any = data(kind).train
    given = TrainingData(kind, rows[1:], rows[:1])

    trained = [
        prepare("trip", each, config(kind)).train(backbone, FLOAT32, lambda run, progress: None)
        for each in (data(kind), given)
    ]

    assert [each.refitted for each in trained] == [True, False]


@pytest.mark.parametrize("kind", SkillKind)
def test_an_interrupted_training_goes_on_in_another_process(backbone: Backbone, kind: SkillKind) -> None:
    prepared = prepare("trip", data(kind), config(kind))
    kept: list[bytes] = []
    steps: list[str] = []

    first = prepared.train(backbone, FLOAT32, lambda *_: None, Checkpoint(None, kept.append, seconds=0))
    second = prepared.train(backbone, FLOAT32, lambda run, _: steps.append(run), Checkpoint(kept[-1]))

    assert steps == []
    assert bare(first.draft) == bare(second.draft)


@pytest.mark.parametrize("kind", SkillKind)
def test_a_skill_grows_from_a_version_of_its_kind(
    backbone: Backbone,
    make_version: Callable[..., SkillVersion],
    kind: SkillKind,
) -> None:
    draft = prepare("trip", data(kind), config(kind)).train(backbone, FLOAT32, lambda *_: None).draft
    version = make_version(draft)
    parent = load_skill(version, draft.tensors, backbone)

    grown = prepare("trip", data(kind), config(kind)).train(
        backbone, FLOAT32, lambda *_: None, grown_from=parent
    )

    assert grown.draft.provenance.config["grown_from"] == str(version)


def test_what_is_doubtful_about_stored_data_is_said_with_its_line() -> None:
    rows: Any = data(SkillKind.INTENT).train
    stored = TrainingData.from_bytes(TrainingData(SkillKind.INTENT, (*rows, rows[0])).to_bytes())

    prepared = prepare("trip", stored, config(SkillKind.INTENT))

    assert prepared.summary == f"8 rows of 2 intents, 2 held out, 2 out of scope ({OUT_OF_SCOPE_LABEL})"
    assert prepared.warnings == ("duplicate rows, dropped (1): training data:14 (as training data:2)",)


@pytest.mark.parametrize(
    ("kind", "rows", "said"),
    [
        (SkillKind.INTENT, (), "no training rows"),
        (SkillKind.INTENT, (Utterance("a", "x"), Utterance("b", "y")), "no rows are held out"),
        (SkillKind.SLOTS, (Utterance("a", "x"),), "has a slot"),
        (SkillKind.GRAMMAR, (CorrectedSentence("a", ("a",)),), "has an error"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(kind: SkillKind, rows: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        prepare("trip", TrainingData(kind, rows), config(kind))
