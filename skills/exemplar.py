"""Exemplars: utterances whose intent someone has told us, which count at once, before the next training."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MAX_EXEMPLARS = 1000  # of one skill: every row of it is compared with all of them


@dataclass(frozen=True)
class Exemplar:
    """An utterance and its right intent, for all versions of a skill that have that intent."""

    id: int
    skill: str
    text: str
    intent: str
    at: datetime
    by: str
