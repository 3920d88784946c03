"""What the training client sends and returns: plain values, free of gRPC and protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from nlu.client_types import SkillKind


class JobState(str, Enum):
    """Where a job is."""

    UNSPECIFIED = "unspecified"  # newer than this client
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"  # its version is published
    FAILED = "failed"
    CANCELLED = "cancelled"

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class ExampleSlot:
    """A part of a text that fills a slot: `text[start:end]` is `value`.

    resolved: what it stands for, if that is something else.
    """

    slot: str
    start: int
    end: int
    value: str
    resolved: str = ""
    role: str = ""
    group: str = ""


@dataclass(frozen=True)
class Example:
    """A labeled row, with what the kind of the skill needs: an intent, slots, both, or corrections.

    intent: "__oos__" if the text is about none of the skill's. expected_slots: those that the dialog had just
    asked for. corrections: all ways to correct the text; the text itself if it is right.
    """

    text: str
    intent: str = ""
    slots: tuple[ExampleSlot, ...] = ()
    expected_slots: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()


class PhraseKind(str, Enum):
    """What a list of phrases is for."""

    SYNONYM = "synonym"  # ways to say the value that the list is named after
    LOOKUP = "lookup"  # values of the slot of its name
    REGEX = "regex"  # regular expressions of the values of the slot of its name

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class PhraseList:
    """Phrases that stand beside the examples of a skill with slots."""

    kind: PhraseKind
    name: str
    phrases: tuple[str, ...]


@dataclass(frozen=True)
class Gates:
    """What a version must be before the alias names it.

    minimum: least value of a metric on held-out rows, by its name. no_regression: on the same rows it must be
    as good as the version that the alias names. tolerance: how much worse it may be.
    """

    minimum: Mapping[str, float] = field(default_factory=dict)
    no_regression: bool = False
    tolerance: float = 0.0


@dataclass(frozen=True)
class TrainingSpec:
    """What to train.

    settings: those that differ from the kind's defaults. alias: that names the version if it passes the
    gates; None for none. grown_from: `name@3` or `name@live`, a version to start from; empty to start anew.
    """

    skill: str
    kind: SkillKind
    settings: Mapping[str, str] = field(default_factory=dict)
    alias: str | None = "live"
    gates: Gates = field(default_factory=Gates)
    grown_from: str = ""


@dataclass(frozen=True)
class JobProgress:
    """How far a running job is.

    run: such as "tune", and then "refit". dev_score: on held-out rows, None before it was measured.
    score_name: what the score is. seconds_left: None if it cannot be told yet.
    """

    run: str
    step: int
    steps: int
    loss: float
    dev_score: float | None
    score_name: str
    seconds_left: float | None


@dataclass(frozen=True)
class Job:
    """A job; times are UTC.

    dataset: SHA-256 of its examples as they are stored, hex. reason: why it failed, was put back, or its
    version was not promoted. worker: that has it or had it last. version: that it published.
    """

    id: int
    spec: TrainingSpec
    dataset: str
    state: JobState
    priority: int
    attempts: int
    max_attempts: int
    progress: JobProgress
    reason: str
    worker: str
    version: int | None
    submitted_by: str
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    is_cancel_requested: bool
