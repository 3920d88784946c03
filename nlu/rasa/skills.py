"""What must be true of the configured skills while a model is trained."""

from __future__ import annotations

from typing import Iterable, Sequence

from nlu.client_types import SkillDetails, SkillKind
from nlu.rasa.config import Config, ConfigError

_HASH_DIGITS = 12
# Rules may name them, and Rasa itself or this component answers them.
_RASA_INTENTS = ("nlu_fallback", "out_of_scope", "restart", "back", "session_start")


def check_skills(config: Config, skills: Sequence[SkillDetails]) -> None:
    """Check that the skills can do what is switched on.

    Raises:
        ConfigError: names the key, and what to do.
    """
    kinds = {skill.kind for skill in skills}
    asked = ", ".join(each.skill.name for each in skills) or "none"
    for key, on, able in (
        ("intents", config.intents, {SkillKind.INTENT, SkillKind.JOINT}),
        ("entities", config.entities, {SkillKind.SLOTS, SkillKind.JOINT}),
        ("correct_grammar", config.correct_grammar, {SkillKind.GRAMMAR}),
    ):
        if on and not kinds & able:
            wanted = " or ".join(sorted(able))
            raise ConfigError(
                f"{key} is true, but no skill is of the kind {wanted} (asked: {asked}): "
                f"name one in skills, or set {key}: false"
            )


def names_of(skills: Iterable[SkillDetails]) -> list[str]:
    """Return what tells these versions from all others."""
    return [f"{each.skill.name}@{each.skill.version} ({each.skill.sha256[:_HASH_DIGITS]})" for each in skills]


def missing_intents(intents: Iterable[str], skills: Iterable[SkillDetails]) -> list[str]:
    """Return the intents that no skill can answer; one of `faq` and `faq/opening` answers the other."""
    labels = {label for skill in skills for label in skill.labels}
    known = labels.union(_RASA_INTENTS, (label.split("/")[0] for label in labels))
    return sorted(name for name in intents if name not in known and name.split("/")[0] not in labels)
