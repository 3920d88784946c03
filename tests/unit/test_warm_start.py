"""Skills that grow from a stored version: what they begin with, and how far they go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.loaded import LoadedSkill, load_skill
from nlu.prompt import Floats
from nlu.slot_head import SlotHead
from skills.correction import CorrectedSentence
from skills.correction_dataset import CorrectionDataset
from skills.dataset import Dataset, build
from skills.errors import InputError
from skills.resolution import Resolver
from skills.skill import Calibration, SkillDraft, SkillKind, SkillVersion
from skills.slot import SlotLabel
from skills.slot_dataset import build_slots
from skills.utterance import Entity, Utterance
from training.config import CorrectionConfig, JointConfig, SlotConfig, make_config
from training.correction_trainer import train_corrections
from training.loop import Progress, planned_steps
from training.slot_trainer import train_slots
from training.trainer import train_intents
from training.warm_start import warmed

MakeVersion = Callable[..., SkillVersion]
MakeDraft = Callable[..., SkillDraft]
MakeDataset = Callable[..., Dataset]
Load = Callable[[SkillDraft], LoadedSkill]

FLOAT32 = Compute("cpu", Precision.FLOAT32, threads=1)
TINY: dict[str, Any] = {"min_steps": 0, "max_steps": 0, "batch_rows": 6, "refit_rows": 0}
NEW_INTENT = tuple(Utterance(text, "block_card") for text in ("block my card", "freeze the card", "stop it"))
TRIPS = (
    *(
        Utterance(f"book {city}", "book", entities=(Entity("city", 5, 5 + len(city), city),))
        for city in ("Oslo", "Rome", "Porto")
    ),
    *(
        Utterance(f"meet {name}", "meet", entities=(Entity("person", 5, 5 + len(name), name),))
        for name in ("Ada", "Kim", "Bo")
    ),
)


@pytest.fixture
def load(backbone: Backbone, make_version: MakeVersion) -> Load:
    def load(draft: SkillDraft) -> LoadedSkill:
        return load_skill(make_version(draft), draft.tensors, backbone)

    return load


def half(values: NDArray[Any] | None) -> Floats:
    """Return values as they are stored."""
    assert values is not None
    stored: Floats = values.astype(np.float16).astype(np.float32)
    return stored


def more_intents(dataset: Dataset) -> Dataset:
    return build((*dataset.train, *dataset.dev, *NEW_INTENT), seed=0)[0]


def class_mean(rows: list[str], skill: LoadedSkill, backbone: Backbone) -> Floats:
    from nlu.engine import make_engine
    from training.evaluation import encode_texts

    mean = encode_texts(skill.prompt, rows, backbone, make_engine(backbone, FLOAT32, "torch")).sum(axis=0)
    unit: Floats = mean / np.linalg.norm(mean)
    return unit


def test_an_intent_skill_begins_with_prompt_and_prototypes(
    backbone: Backbone, make_dataset: MakeDataset, load: Load
) -> None:
    first = train_intents(
        "toy", make_dataset(), backbone, make_config(**TINY | {"max_steps": 3, "prompt_length": 4})
    )
    parent, dataset = load(first.draft), more_intents(make_dataset())
    config = make_config(**TINY, label_names=False)
    grown = load(train_intents("toy", dataset, backbone, config, grown_from=parent).draft)
    assert np.array_equal(half(grown.prompt.deep), half(parent.prompt.deep))
    assert parent.intent is not None and grown.intent is not None
    assert grown.intent.labels == ("block_card", *parent.intent.labels)
    np.testing.assert_allclose(grown.intent.unit_prototypes[1:], parent.intent.unit_prototypes, atol=1e-3)
    rows = [row.text for row in dataset.train if row.intent == "block_card"]
    np.testing.assert_allclose(grown.intent.unit_prototypes[0], class_mean(rows, grown, backbone), atol=1e-3)


def test_a_growing_skill_takes_a_share_of_the_steps(
    backbone: Backbone, make_dataset: MakeDataset, load: Load
) -> None:
    parent = load(train_intents("toy", make_dataset(), backbone, make_config(**TINY)).draft)
    seen: list[tuple[str, Progress]] = []
    config = make_config(min_steps=8, max_steps=8, warm_share=0.25, batch_rows=6)
    trained = train_intents(
        "toy",
        more_intents(make_dataset()),
        backbone,
        config,
        grown_from=parent,
        refit=True,
        on_progress=lambda run, progress: seen.append((run, progress)),
    )
    assert [(run, each.step, each.steps) for run, each in seen] == [
        (run, step, 2) for run in ("tune", "refit") for step in (1, 2)
    ]
    assert trained.draft.provenance.config["grown_from"] == str(parent.version)


@pytest.mark.parametrize(("rows", "share", "steps"), [(320, 0.25, 50), (320, 1.0, 200), (32, 0.1, 10)])
def test_the_share_is_of_what_a_file_of_that_size_takes(rows: int, share: float, steps: int) -> None:
    config = SlotConfig.make(warm_share=share, warm_rate=0.5, epochs=20, min_steps=100, context_rate=0.2)
    grown = warmed(config, rows)
    assert planned_steps(rows, grown) == steps == round(share * planned_steps(rows, config))
    assert (grown.prompt_rate, grown.head_rate) == (config.prompt_rate / 2, config.head_rate / 2)
    assert grown.context_rate == 0.1


@pytest.mark.parametrize("refit", [False, True])
def test_a_skill_that_learns_its_held_out_rows_keeps_its_calibration(
    backbone: Backbone, make_dataset: MakeDataset, load: Load, refit: bool
) -> None:
    """Its parent has learned them as well, so that they say nothing of how sure it may be."""
    parent = load(train_intents("toy", make_dataset(), backbone, make_config(**TINY)).draft)
    calibration = Calibration(temperature=1.7, scope_weight=0.9, scope_bias=-2.0, scope_threshold=0.3)
    assert parent.intent is not None
    weight = parent.intent.lexical_weight
    parent = replace(parent, intent=replace(parent.intent, calibration=calibration))
    config = make_config(**TINY)
    dataset = more_intents(make_dataset())
    grown = train_intents("toy", dataset, backbone, config, grown_from=parent, refit=refit).draft
    kept = grown.calibration
    assert (kept.temperature == 1.7) is (kept.scope_weight == 0.9) is (kept.scope_threshold == 0.3) is refit
    if refit:
        assert kept.scope_bias == pytest.approx(-2.0, abs=1.0)  # as far as the energies have moved
        assert grown.head["lexical_weight"] == weight


@pytest.mark.parametrize("joint", [False, True])
def test_a_slot_skill_begins_with_the_tags_it_has(
    backbone: Backbone, make_draft: MakeDraft, load: Load, joint: bool
) -> None:
    """The parent knows cities and has vectors for them; persons are new."""
    kind, shape = SkillKind.JOINT if joint else SkillKind.SLOTS, backbone.shape
    generator = np.random.default_rng(1)

    def normal(*sizes: int) -> Floats:
        return half(generator.normal(size=sizes).astype(np.float32))

    head = SlotHead(
        (SlotLabel("date"), SlotLabel("city")),
        normal(5, shape.d_model),
        normal(5),
        1.0,
        Resolver({}),
        normal(1, shape.prompted_layers, 2, 3, shape.d_attention),
        ("city",),
        normal(2, 5, shape.d_model),
    )
    draft = make_draft(backbone, "trips", kind, slots=head)
    parent = load(replace(draft, labels=("book", "meet", "other")) if joint else draft)
    config = (JointConfig if joint else SlotConfig).make(**TINY, contexts="on")
    dataset = build_slots(TRIPS, seed=0, with_intents=joint)[0]
    trained = train_slots("trips", dataset, backbone, config, {}, FLOAT32, grown_from=parent)
    grown = load(trained.draft)
    assert np.array_equal(half(grown.prompt.deep), half(parent.prompt.deep))
    assert grown.slots is not None and grown.slots.neighbours is not None and head.neighbours is not None
    assert grown.slots.labels == (SlotLabel("city"), SlotLabel("person"))
    kept = [0, 3, 4]
    np.testing.assert_array_equal(grown.slots.weights[:3], head.weights[kept])
    np.testing.assert_array_equal(grown.slots.bias[:3], head.bias[kept])
    np.testing.assert_array_equal(grown.slots.neighbours[:, :3], head.neighbours[:, kept])
    assert not grown.slots.weights[3:].any()
    assert grown.slots.expected_names == ("city",)
    np.testing.assert_array_equal(half(grown.slots.expected), half(head.expected))


def test_a_grammar_skill_begins_with_prompts_and_detector(
    backbone: Backbone, make_draft: MakeDraft, load: Load
) -> None:
    parent = load(make_draft(backbone, "grammar", SkillKind.GRAMMAR))
    rows = (CorrectedSentence("I has a cat.", ("I have a cat.",)),)
    config = CorrectionConfig.make(**{name: TINY[name] for name in ("min_steps", "max_steps")})
    dataset = CorrectionDataset(rows, rows)
    grown = load(train_corrections("grammar", dataset, backbone, config, FLOAT32, grown_from=parent).draft)
    assert np.array_equal(half(grown.prompt.deep), half(parent.prompt.deep))
    assert parent.grammar is not None and grown.grammar is not None
    for name in ("own", "memory"):
        ours, theirs = (getattr(skill.grammar.prompt, name) for skill in (grown, parent) if skill.grammar)
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(grown.grammar.detector, parent.grammar.detector)
    assert grown.grammar.detector_bias == parent.grammar.detector_bias


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (SkillKind.SLOTS, {}, "is of kind slots: a skill of kind intent cannot grow from it"),
        (SkillKind.INTENT, {"backbone": "f" * 64}, "was trained on backbone ffffffffffff"),
        (SkillKind.INTENT, {}, "has none of the 3 labels"),
    ],
)
def test_what_cannot_be_grown_from_is_refused(
    backbone: Backbone,
    make_dataset: MakeDataset,
    make_draft: MakeDraft,
    load: Load,
    kind: SkillKind,
    changes: dict[str, Any],
    message: str,
) -> None:
    parent = load(make_draft(backbone, "toy", kind))
    parent = replace(parent, version=replace(parent.version, **changes))
    with pytest.raises(InputError, match=message) as caught:
        train_intents("toy", make_dataset(), backbone, make_config(**TINY), grown_from=parent)
    assert caught.value.field == "from"
