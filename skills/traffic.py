"""Which version of a skill answers a session: the live one, or for a share of them the candidate."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from skills.errors import InputError

CANDIDATE = "candidate"  # the alias of a version on trial
_STEPS = 1 << 32


@dataclass(frozen=True)
class Traffic:
    """A trial of a skill's candidate.

    Args:
        canary: share of the sessions that the candidate answers, 0 to 1.
        shadow: share of the other requests that the candidate answers besides, unseen, for comparison.

    Raises:
        InputError: a share is not from 0 to 1.
    """

    canary: float = 0.0
    shadow: float = 0.0

    def __post_init__(self) -> None:
        for name, share in (("canary", self.canary), ("shadow", self.shadow)):
            if not 0.0 <= share <= 1.0:
                raise InputError(f"{name} share is {share:g}: give 0 to 1", field=name)

    @property
    def is_on(self) -> bool:
        """Whether a candidate gets anything at all."""
        return self.canary > 0 or self.shadow > 0

    def goes_to_candidate(self, skill: str, session: str) -> bool:
        """Whether the candidate answers a session: always the same for the same skill and session."""
        return position(skill, session) < self.canary

    def is_shadowed(self, skill: str, request: str) -> bool:
        """Whether the candidate answers a request unseen."""
        return position(f"{skill} shadow", request) < self.shadow


def position(skill: str, session: str) -> float:
    """Return where a session lies in [0, 1), evenly spread and unrelated from skill to skill."""
    digest = hashlib.blake2b(f"{skill}\0{session}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) / _STEPS
