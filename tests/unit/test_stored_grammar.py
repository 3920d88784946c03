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

Load = Callable[[SkillDraft], LoadedSkill]
NUMBERS = ("detector_bias", "gate_scale", "gate_bias", "threshold")


@pytest.fixture
def draft(backbone: Backbone, make_draft: Callable[..., SkillDraft]) -> SkillDraft:
    return make_draft(backbone, "grammar", SkillKind.GRAMMAR)


@pytest.fixture
def load_draft(backbone: Backbone, make_version: Callable[..., SkillVersion]) -> Load:
    def loaded(draft: SkillDraft) -> LoadedSkill:
        return load_skill(make_version(draft), draft.tensors, backbone)

    return loaded


def test_a_grammar_skill_is_loaded_as_it_was_stored(draft: SkillDraft, load_draft: Load) -> None:
    skill = load_draft(draft)
    assert skill.intent is None and skill.slots is None and skill.grammar is not None
    stored = load(draft.tensors)
    np.testing.assert_array_equal(skill.grammar.detector, stored["grammar.detector"])
    np.testing.assert_array_equal(skill.grammar.prompt.own, stored["grammar.own"].astype(np.float32))
    np.testing.assert_array_equal(skill.grammar.prompt.memory, stored["grammar.memory"].astype(np.float32))
    assert {name: getattr(skill.grammar, name) for name in NUMBERS} == draft.head["grammar"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), "much", None])
def test_settings_that_do_not_fit_are_refused(
    draft: SkillDraft, load_draft: Load, name: str, value: Any
) -> None:
    head = {"grammar": draft.head["grammar"] | {name: value}}
    with pytest.raises(SkillRefusedError, match=r"grammar@3 cannot be served.*train it again"):
        load_draft(replace(draft, head=head))


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("detector", None, "lacks 'grammar.detector'"),
        ("own", None, "lacks 'grammar.own'"),
        ("memory", None, "lacks 'grammar.memory'"),
        ("detector", np.zeros(256, np.float32), r"grammar.detector has shape \(256,\), expected \(512,\)"),
        ("own", np.zeros((4, 2, 3, 384), np.float16), r"grammar.own has shape \(4, 2, 3, 384\)"),
        ("memory", np.zeros((8, 2, 0, 384), np.float16), r"grammar.memory has shape \(8, 2, 0, 384\)"),
        ("memory", np.full((8, 2, 3, 384), np.inf, np.float16), "grammar.memory has values"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    draft: SkillDraft, load_draft: Load, name: str, tensor: Any, reason: str
) -> None:
    tensors = load(draft.tensors) | {f"grammar.{name}": tensor}
    kept = {each: tensors[each] for each in tensors if tensors[each] is not None}
    with pytest.raises(SkillRefusedError, match=f"grammar@3 .*{reason}.*train it again"):
        load_draft(replace(draft, tensors=save(kept)))
