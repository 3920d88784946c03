from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from nlu.backbone import Backbone
from nlu.loaded import LoadedSkill, load_skill
from skills.errors import SkillRefusedError
from skills.skill import SkillDraft, SkillKind, SkillVersion

MakeDraft = Callable[..., SkillDraft]
Load = Callable[[SkillDraft], LoadedSkill]


@pytest.fixture
def load_draft(backbone: Backbone, make_version: Callable[..., SkillVersion]) -> Load:
    def loaded(draft: SkillDraft) -> LoadedSkill:
        return load_skill(make_version(draft), draft.tensors, backbone)

    return loaded


def with_settings(draft: SkillDraft, **changes: Any) -> SkillDraft:
    return replace(draft, head=draft.head | {"slots": draft.head["slots"] | changes})


def with_tensors(draft: SkillDraft, **changes: Any) -> SkillDraft:
    """Change tensors, or leave out those that become None."""
    tensors = load(draft.tensors) | {f"slots.{name}": change for name, change in changes.items()}
    return replace(draft, tensors=save({name: each for name, each in tensors.items() if each is not None}))


def test_a_slots_skill_is_loaded_as_it_was_stored(
    backbone: Backbone, make_draft: MakeDraft, load_draft: Load
) -> None:
    draft = make_draft(backbone, "slots", SkillKind.SLOTS)
    skill = load_draft(draft)
    assert skill.intent is None and skill.grammar is None and skill.slots is not None
    assert tuple(map(str, skill.slots.labels)) == draft.labels == ("city:destination", "person")
    assert skill.slots.expected_names == ("city",)
    assert skill.slots.temperature == 2.0
    stored = load(draft.tensors)
    np.testing.assert_array_equal(skill.slots.weights, stored["slots.weights"].astype(np.float32))
    np.testing.assert_array_equal(skill.slots.bias, stored["slots.bias"])
    assert skill.slots.expected is not None
    np.testing.assert_array_equal(skill.slots.expected, stored["slots.expected"].astype(np.float32))


def test_a_joint_skill_has_both_heads_and_one_prompt(
    backbone: Backbone, make_draft: MakeDraft, load_draft: Load
) -> None:
    skill = load_draft(make_draft(backbone, "both", SkillKind.JOINT))
    assert skill.intent is not None and skill.slots is not None and skill.grammar is None
    assert skill.intent.labels == ("red", "green", "blue")


def test_weights_of_neighbours_are_loaded_where_there_are_any(
    backbone: Backbone, make_draft: MakeDraft, load_draft: Load
) -> None:
    draft = make_draft(backbone, "slots", SkillKind.SLOTS)
    plain = load_draft(draft)
    assert plain.slots is not None and plain.slots.neighbours is None
    neighbours = np.full((2, 5, backbone.shape.d_model), 0.5, np.float16)
    skill = load_draft(with_tensors(draft, neighbours=neighbours))
    assert skill.slots is not None and skill.slots.neighbours is not None
    np.testing.assert_array_equal(skill.slots.neighbours, neighbours)
    with pytest.raises(SkillRefusedError, match=r"slots\.neighbours has shape"):
        load_draft(with_tensors(draft, neighbours=neighbours[:1]))


def test_a_skill_without_expected_slots(backbone: Backbone, make_draft: MakeDraft, load_draft: Load) -> None:
    draft = with_tensors(
        with_settings(make_draft(backbone, "slots", SkillKind.SLOTS), expected=[]), expected=None
    )
    skill = load_draft(draft)
    assert skill.slots is not None and skill.slots.expected is None
    assert skill.prompt_for(("city",)) is skill.prompt


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": ["city"]}, r"slots.weights has shape \(5, 512\), expected \(3, 512\)"),
        ({"labels": []}, "no slot labels"),
        ({"labels": ["city", "city"]}, "labels are not all different"),
        ({"labels": ["city", "a:b:c:d"]}, "'a:b:c:d' is not valid"),
        ({"labels": None}, "NoneType"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"expected": ["city", "time"]}, r"slots.expected has shape \(1, 4, 2, 2, 384\), expected \(2, 4"),
        ({"expected": ["city", "city"]}, "expected slots are not all different"),
        ({"schema": {"city": {"kind": "colour"}}}, "colour"),
        ({"schema": 7}, "slot types are 7"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    backbone: Backbone, make_draft: MakeDraft, load_draft: Load, changes: dict[str, Any], reason: str
) -> None:
    draft = with_settings(make_draft(backbone, "slots", SkillKind.SLOTS), **changes)
    with pytest.raises(SkillRefusedError, match=f"slots@3 .*{reason}.*train it again"):
        load_draft(draft)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"weights": None}, "lacks 'slots.weights'"),
        ({"bias": None}, "lacks 'slots.bias'"),
        ({"expected": None}, "lacks 'slots.expected'"),
        ({"weights": np.zeros((5, 256), np.float16)}, r"slots.weights has shape \(5, 256\)"),
        ({"weights": np.full((5, 512), np.nan, np.float16)}, "slots.weights has values that are not finite"),
        ({"bias": np.zeros(4, np.float32)}, r"slots.bias has shape \(4,\), expected \(5,\)"),
        (
            {"expected": np.zeros((1, 4, 2, 0, 384), np.float16)},
            r"slots.expected has shape \(1, 4, 2, 0, 384",
        ),
        (
            {"expected": np.zeros((1, 8, 2, 2, 384), np.float16)},
            r"slots.expected has shape \(1, 8, 2, 2, 384",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    backbone: Backbone, make_draft: MakeDraft, load_draft: Load, changes: dict[str, Any], reason: str
) -> None:
    draft = with_tensors(make_draft(backbone, "slots", SkillKind.SLOTS), **changes)
    with pytest.raises(SkillRefusedError, match=f"slots@3 .*{reason}.*train it again"):
        load_draft(draft)


@pytest.mark.parametrize("kind", [SkillKind.SLOTS, SkillKind.JOINT, SkillKind.GRAMMAR])
def test_an_intent_skill_does_not_stand_in_for_another_kind(
    backbone: Backbone, make_draft: MakeDraft, load_draft: Load, kind: SkillKind
) -> None:
    with pytest.raises(SkillRefusedError, match=r"colours@3 lacks '(slots|grammar)'; train it again"):
        load_draft(replace(make_draft(backbone, "colours"), kind=kind))
