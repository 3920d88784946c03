"""What training demands of the skills."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nlu.client_types import Provenance, SkillDetails, SkillKind, SkillVersion
from nlu.rasa.config import ConfigError, read_config
from nlu.rasa.skills import check_skills, missing_intents, names_of


def skill(kind: SkillKind, *labels: str, version: int = 3) -> SkillDetails:
    return SkillDetails(
        SkillVersion(f"my-{kind.name.lower()}", version, "0123456789abcdef"),
        kind,
        "deep-prompt",
        labels,
        {},
        Provenance("d", 1, 1, "1", 1.0),
        "b",
        1,
        datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("kinds", "values", "message"),
    [
        ([SkillKind.JOINT], {}, ""),
        ([SkillKind.INTENT, SkillKind.SLOTS], {}, ""),
        ([SkillKind.INTENT], {"entities": False}, ""),
        ([], {}, "no skill is of the kind intent or intent+slots (asked: none)"),
        ([SkillKind.SLOTS], {}, "intents is true, but no skill is of the kind intent or intent+slots"),
        ([SkillKind.INTENT], {}, "(asked: my-intent): name one in skills, or set entities: false"),
        ([SkillKind.JOINT], {"correct_grammar": True}, "no skill is of the kind grammar"),
        ([SkillKind.JOINT, SkillKind.GRAMMAR], {"correct_grammar": True}, ""),
    ],
)
def test_each_half_needs_a_skill(kinds: list[SkillKind], values: dict[str, Any], message: str) -> None:
    config, skills = read_config(values), [skill(kind) for kind in kinds]
    if not message:
        check_skills(config, skills)
        return
    with pytest.raises(ConfigError) as caught:
        check_skills(config, skills)
    assert message in str(caught.value)


def test_names_tell_versions_apart() -> None:
    assert names_of([skill(SkillKind.JOINT)]) == ["my-joint@3 (0123456789ab)"]


def test_intents_that_nobody_answers() -> None:
    skills = [skill(SkillKind.INTENT, "pay", "faq"), skill(SkillKind.JOINT, "book", "chat/hi")]
    asked = ["pay", "faq/opening", "chat/hi", "chat/bye", "chat", "book", "leave", "nlu_fallback"]
    assert missing_intents(asked, skills) == ["chat/bye", "leave"]
