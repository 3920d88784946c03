"""What a trainer hands over, whatever the kind of skill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from skills.skill import SkillDraft
from training.loop import Progress

OnProgress = Callable[[str, Progress], None]  # the run's name ("tune", "refit") and where it is

EvaluationT = TypeVar("EvaluationT")


@dataclass(frozen=True)
class Trained(Generic[EvaluationT]):
    """A draft for the catalog, and how it did on the held-out rows."""

    draft: SkillDraft
    held_out: EvaluationT
    refitted: bool = False  # whether the stored skill has since learned the held-out rows as well
