"""A training job: what is asked for, how far it is, how it ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from skills.skill import LIVE, SkillKind


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"  # new, or put back to be tried again
    RUNNING = "running"
    SUCCEEDED = "succeeded"  # its version is published
    FAILED = "failed"  # given up: the reason says why; `retry` queues it again
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen any more unless someone retries it."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class JobRequest:
    """What to train; its rows are a data set of the catalog.

    Args:
        skill: name of the skill that gets a new version.
        kind: what it answers.
        config: the settings that differ from the kind's defaults.
        alias: that names the new version if it passes the gates; None for none.
        gates: what it must pass, as `Gates.as_dict` has it.
        grown_from: `name@version` to start from; empty to start anew.
        peft: folder of the PEFT checkpoint whose soft prompt an intent skill goes on from; empty for none.
    """

    skill: str
    kind: SkillKind
    config: dict[str, Any] = field(default_factory=dict)
    alias: str | None = LIVE
    gates: dict[str, Any] = field(default_factory=dict)
    grown_from: str = ""
    peft: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**asdict(self), "kind": str(self.kind)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> JobRequest:
        """Read what `as_dict` gave."""
        return cls(**{**values, "kind": SkillKind(values["kind"])})


@dataclass(frozen=True)
class JobProgress:
    """How far a running job is; times in seconds."""

    run: str = ""  # "tune", "refit"
    step: int = 0
    steps: int = 0
    loss: float = 0.0
    dev_score: float | None = None
    score_name: str = ""
    seconds_left: float | None = None


@dataclass(frozen=True)
class Job:
    """A job as the catalog has it."""

    id: int
    request: JobRequest
    dataset: str  # SHA-256 of its rows
    state: JobState
    priority: int  # higher goes first
    attempts: int
    max_attempts: int
    progress: JobProgress
    reason: str  # why it failed, was put back, or was not promoted; empty otherwise
    worker: str  # that has it or had it last
    version: int | None  # that it published
    submitted_by: str
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_cancel_requested: bool = False


@dataclass(frozen=True)
class Lease:
    """A worker's right to a job, until another worker takes it over; the token fences it off then."""

    job: Job
    token: int
