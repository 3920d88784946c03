"""Whole trainings of slot skills of a few steps over the embedded backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import Engine, make_engine
from nlu.loaded import LoadedSkill, load_skill
from skills.errors import InputError
from skills.resolution import SlotType, ValueKind
from skills.skill import OUT_OF_SCOPE_LABEL, Method, SkillKind, SkillVersion
from skills.slot import SlotLabel
from skills.slot_dataset import SlotDataset, build_slots
from skills.utterance import Entity, Utterance
from training.config import JointConfig, SlotConfig
from training.loop import Progress
from training.slot_evaluation import SlotEvaluation, evaluate_slots
from training.slot_trainer import train_slots
from training.trained import Trained

MakeVersion = Callable[..., SkillVersion]

FLOAT32 = Compute("cpu", Precision.FLOAT32, threads=1)
CITIES = ("Oslo", "Rome", "Lisbon", "New York", "Bergen", "Porto")


@pytest.fixture(scope="module")
def engine(backbone: Backbone) -> Engine:
    return make_engine(backbone, FLOAT32, "torch")


def marked(text: str, intent: str, *slots: tuple[str, str], expected: tuple[str, ...] = ()) -> Utterance:
    """Make a row; slots are (label, value) and the value is where it is first found."""
    entities = []
    for name, value in slots:
        label = SlotLabel.parse(name)
        start = text.index(value)
        entities.append(Entity(label.slot, start, start + len(value), value, label.role))
    return Utterance(text, intent, entities=tuple(entities), expected_slots=expected)


def utterances(*, expected: bool = False, oos: bool = False) -> list[Utterance]:
    rows = []
    for number, city in enumerate(CITIES):
        other = CITIES[number - 1]
        rows += [
            marked(f"fly me to {city}", "book", ("city:destination", city)),
            marked(f"from {city} to {other}", "book", ("city:origin", city), ("city:destination", other)),
            marked(f"cancel the trip on the {number + 2}th", "cancel", ("date", f"{number + 2}th")),
        ]
    if expected:
        rows += [marked(f"{day}th", "cancel", ("date", f"{day}th"), expected=("date",)) for day in range(8)]
    return rows + [Utterance(text, OUT_OF_SCOPE_LABEL) for text in ("sing a song", "tell a joke") if oos]


def dataset_of(rows: Sequence[Utterance], *, with_intents: bool = False) -> SlotDataset:
    return build_slots(rows, seed=0, with_intents=with_intents)[0]


def trained(
    backbone: Backbone,
    dataset: SlotDataset,
    *,
    joint: bool = False,
    compute: Compute = FLOAT32,
    refit: bool | None = None,
    **values: object,
) -> Trained[SlotEvaluation]:
    settings = {"min_steps": 0, "max_steps": 3, "batch_rows": 8, "prompt_length": 4, "refit_rows": 0} | values
    config = (JointConfig if joint else SlotConfig).make(**settings)
    schema = {"date": SlotType(ValueKind.TEXT, {"the second": ("2th",)})}
    return train_slots("trips", dataset, backbone, config, schema, compute, refit=refit)


def loaded(trained: Trained[SlotEvaluation], backbone: Backbone, make_version: MakeVersion) -> LoadedSkill:
    return load_skill(make_version(trained.draft), trained.draft.tensors, backbone)


@pytest.mark.parametrize("joint", [False, True])
def test_what_is_stored_does_what_was_measured(
    backbone: Backbone, engine: Engine, make_version: MakeVersion, joint: bool
) -> None:
    """Steps so large that the last state is far from the best, which is the one that is stored."""
    dataset = dataset_of(utterances(expected=True, oos=joint), with_intents=joint)
    result = trained(backbone, dataset, joint=joint, max_steps=8, patience=1, prompt_rate=0.3)
    assert not result.refitted
    skill = loaded(result, backbone, make_version)
    again = evaluate_slots(skill, dataset.dev, backbone, engine)
    assert len(again.predictions) == len(dataset.dev) > 0
    for stored, measured in zip(again.predictions, result.held_out.predictions, strict=True):
        assert (stored.text, stored.expected, stored.intent_right) == (
            measured.text,
            measured.expected,
            measured.intent_right,
        )
        assert [each.span for each in stored.answered] == [each.span for each in measured.answered]
        for one, other in zip(stored.answered, measured.answered, strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=0.03)  # half precision


@pytest.mark.parametrize("joint", [False, True])
def test_some_steps_learn_the_toy_slots(
    backbone: Backbone, engine: Engine, make_version: MakeVersion, joint: bool
) -> None:
    dataset = dataset_of(utterances(), with_intents=joint)
    result = trained(backbone, dataset, joint=joint, max_steps=40, prompt_length=16)
    learned = evaluate_slots(loaded(result, backbone, make_version), dataset.train, backbone, engine)
    assert learned.metrics.spans.f1 > 0.9
    if joint:
        assert learned.intents is not None and learned.intents.metrics.accuracy == 1
        assert learned.metrics.whole_frame is not None and learned.metrics.whole_frame > 0.8


@pytest.mark.parametrize("joint", [False, True])
def test_the_draft_tells_what_it_is(backbone: Backbone, joint: bool) -> None:
    dataset = dataset_of(utterances(expected=True, oos=joint), with_intents=joint)
    draft = trained(backbone, dataset, joint=joint, seed=5).draft
    assert draft.kind is (SkillKind.JOINT if joint else SkillKind.SLOTS)
    assert (draft.method, draft.backbone) == (Method.DEEP_PROMPT, backbone.fingerprint)
    slots = ["city:destination", "city:origin", "date"]
    assert draft.head["slots"]["labels"] == slots
    assert list(draft.labels) == (["book", "cancel"] if joint else slots)
    assert draft.head["slots"]["schema"]
    assert {"slot_f1", "slot_precision", "slot_recall", "frame_accuracy", "slot_ece"} <= draft.metrics.keys()
    assert ({"accuracy", "whole_frame", "oos_auroc"} <= draft.metrics.keys()) is joint
    assert draft.provenance.rows == len(dataset.train) + len(dataset.dev)
    assert (JointConfig if joint else SlotConfig).make(**draft.provenance.config).seed == 5


@pytest.mark.parametrize(
    ("expected", "contexts", "names"),
    [
        (True, "auto", ["city", "date"]),
        (False, "auto", []),
        (False, "on", ["city", "date"]),
        (True, "off", []),
    ],
)
def test_vectors_of_expected_slots_are_stored_where_they_were_learned(
    backbone: Backbone, make_version: MakeVersion, expected: bool, contexts: str, names: list[str]
) -> None:
    result = trained(
        backbone, dataset_of(utterances(expected=expected)), contexts=contexts, invented_share=1.0
    )
    assert result.draft.head["slots"]["expected"] == names
    skill = loaded(result, backbone, make_version)
    assert skill.slots is not None and skill.prompt.deep is not None
    longer = skill.slots.prompt_for(skill.prompt, ("date",)).length - skill.prompt.length
    assert longer == (2 if names else 0)


def test_vectors_that_nothing_has_trained_are_not_stored(backbone: Backbone) -> None:
    result = trained(backbone, dataset_of(utterances(expected=True)), invented_share=0.0, bare_share=0.0)
    assert result.draft.head["slots"]["expected"] == ["date"]


def test_a_context_that_was_learned_changes_the_answer(
    backbone: Backbone, engine: Engine, make_version: MakeVersion
) -> None:
    """One text has no slot unless the dialog has asked for one."""
    rows = []
    for number in range(12):
        rows.append(marked(f"{number} please", "book", ("date", str(number)), expected=("date",)))
        rows.append(Utterance(f"{number} please", "book"))
    dataset = replace(dataset_of(utterances()), train=(*utterances(), *rows), dev=tuple(rows))
    settings: dict[str, Any] = {"context_share": 1.0, "context_length": 2}
    result = trained(backbone, dataset, max_steps=80, prompt_length=16, patience=100, **settings)
    skill = loaded(result, backbone, make_version)
    asked = [row for row in rows if row.expected_slots]
    told = evaluate_slots(skill, asked, backbone, engine)
    untold = evaluate_slots(skill, asked, backbone, engine, with_context=False)
    assert told.metrics.spans.recall > 0.8
    assert untold.metrics.spans.recall < 0.3


def test_the_same_seed_gives_the_same_bytes(backbone: Backbone) -> None:
    def tensors(seed: int) -> bytes:
        dataset = dataset_of(utterances(expected=True))
        return trained(backbone, dataset, seed=seed, start="tokens", max_steps=2).draft.tensors

    first = tensors(1)
    assert tensors(1) == first
    assert tensors(2) != first


def test_a_refit_learns_the_held_out_rows_and_keeps_the_calibration(backbone: Backbone) -> None:
    dataset = dataset_of(utterances(expected=True, oos=True), with_intents=True)
    once = trained(backbone, dataset, joint=True, refit=False)
    seen: list[tuple[str, Progress]] = []
    config = JointConfig.make(min_steps=0, max_steps=3, batch_rows=8, prompt_length=4)
    twice = train_slots(
        "trips",
        dataset,
        backbone,
        config,
        {},
        FLOAT32,
        on_progress=lambda run, progress: seen.append((run, progress)),
    )
    assert {run for run, _ in seen} == {"tune", "refit"}
    assert seen[0][1].score_name == "accuracy and F1"
    assert (once.refitted, twice.refitted) == (False, True)
    assert twice.draft.head["slots"]["temperature"] == once.draft.head["slots"]["temperature"]
    assert twice.draft.calibration.temperature == once.draft.calibration.temperature
    assert twice.draft.tensors != once.draft.tensors
    assert twice.draft.metrics == once.draft.metrics


def test_no_steps_give_a_skill_that_finds_nothing(backbone: Backbone, make_version: MakeVersion) -> None:
    result = trained(backbone, dataset_of(utterances()), max_steps=0)
    assert result.held_out.metrics.spans.answered == 0
    assert result.draft.head["slots"]["temperature"] > 0
    assert loaded(result, backbone, make_version).slots is not None


def test_half_precision_learns_as_well(backbone: Backbone) -> None:
    compute = Compute("cpu", Precision.BFLOAT16, threads=1)
    result = trained(backbone, dataset_of(utterances()), compute=compute, max_steps=2)
    assert np.isfinite(list(result.draft.metrics.values())).all()


@pytest.mark.parametrize(
    ("joint", "dev", "message"),
    [
        (False, (), "no row is held out"),
        (True, (), "no held-out row has an intent"),
        (True, (Utterance("sing", OUT_OF_SCOPE_LABEL),), "no held-out row has an intent"),
    ],
)
def test_no_held_out_rows_are_refused(
    backbone: Backbone, joint: bool, dev: tuple[Utterance, ...], message: str
) -> None:
    dataset = replace(dataset_of(utterances(), with_intents=joint), dev=dev)
    with pytest.raises(InputError, match=message) as caught:
        trained(backbone, dataset, joint=joint)
    assert caught.value.field == "dev"


def test_rows_that_do_not_fit_the_skill_are_named(
    backbone: Backbone, engine: Engine, make_version: MakeVersion
) -> None:
    dataset = dataset_of(utterances(), with_intents=True)
    skill = loaded(trained(backbone, dataset, joint=True, max_steps=0), backbone, make_version)
    person = Utterance("to Petra", "book", "test.jsonl", 3, (Entity("person", 3, 8, "Petra"),))
    with pytest.raises(InputError, match=r"test.jsonl:3: slot 'person' is not one of the 3 of trips@3"):
        evaluate_slots(skill, [person], backbone, engine)
    with pytest.raises(InputError, match=r"test.jsonl:4: intent 'greet'"):
        evaluate_slots(skill, [Utterance("hi", "greet", "test.jsonl", 4)], backbone, engine)
    with pytest.raises(InputError, match="no rows"):
        evaluate_slots(skill, [], backbone, engine)
    with pytest.raises(InputError, match="it has no slots"):
        evaluate_slots(replace(skill, slots=None), dataset.dev, backbone, engine)
