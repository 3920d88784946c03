"""The number that tells most of a skill of each kind."""

from __future__ import annotations

from typing import NamedTuple

from skills.skill import SkillKind


class Headline(NamedTuple):
    """One of a version's metrics: its name in the catalog, and in words."""

    metric: str
    words: str


HEADLINES = {
    SkillKind.INTENT: Headline("accuracy", "accuracy"),
    SkillKind.SLOTS: Headline("slot_f1", "slot F1"),
    SkillKind.JOINT: Headline("whole_frame", "whole frames"),
    SkillKind.GRAMMAR: Headline("edit_f05", "edit F0.5"),
}
