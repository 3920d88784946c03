"""What the client sends and returns: plain values, free of gRPC and protobuf.

This module and the other `nlu.client*` modules run on Python 3.10 with the standard library, grpc and
protobuf, and import nothing else of the project but the generated stubs and `nlu.address`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class _Name(str, Enum):
    def __str__(self) -> str:
        return str(self.value)


class OffsetUnit(_Name):
    """What one step of an offset is."""

    CODE_POINTS = "code-points"  # as Python counts
    UTF16_UNITS = "utf16-units"
    UTF8_BYTES = "utf8-bytes"


class Outcome(_Name):
    """What became of an utterance."""

    UNSPECIFIED = "unspecified"  # newer than this client
    MATCHED = "matched"
    AMBIGUOUS = "ambiguous"
    OUT_OF_SCOPE = "out-of-scope"
    EMPTY_INPUT = "empty-input"


class SkillKind(_Name):
    """What a skill answers."""

    UNSPECIFIED = "unspecified"  # newer than this client
    INTENT = "intent"
    SLOTS = "slots"
    GRAMMAR = "grammar"


@dataclass(frozen=True)
class ParseRequest:
    """One utterance and what is asked of it.

    skills: each `name`, `name@3` or `name@candidate`; none asks all live skills. n_best: length of the
    ranking, 0 for the server's choice. An intent below min_confidence is answered as out of scope.
    """

    text: str
    skills: tuple[str, ...] = ()
    request_id: str = ""  # made by the server when empty
    n_best: int = 0
    min_confidence: float = 0.0
    offset_unit: OffsetUnit = OffsetUnit.CODE_POINTS
    language: str = ""
    session_id: str = ""
    previous_system_utterance: str = ""
    expected_intents: tuple[str, ...] = ()
    expected_slots: tuple[str, ...] = ()


@dataclass(frozen=True)
class Intent:
    """A label and the calibrated probability that it is right."""

    name: str
    confidence: float


@dataclass(frozen=True)
class SkillVersion:
    """One immutable version of a skill; sha256 is of its tensors, hex."""

    name: str
    version: int
    sha256: str


@dataclass(frozen=True)
class SkillResult:
    """One skill's answer: the ranking best first, and the probability that the utterance is in scope."""

    skill: SkillVersion
    kind: SkillKind
    outcome: Outcome
    ranking: tuple[Intent, ...]
    in_scope: float

    @property
    def intent(self) -> Intent | None:
        """The answer, or None if the utterance matched nothing."""
        return self.ranking[0] if self.outcome in (Outcome.MATCHED, Outcome.AMBIGUOUS) else None


@dataclass(frozen=True)
class Timings:
    """Where the server's time went, in microseconds, and the rows of the largest batch."""

    tokenise_us: int
    queue_us: int
    inference_us: int
    batch_rows: int


@dataclass(frozen=True)
class ParseResult:
    """The answer to one request; `read` is the span of the text that the model saw, in the asked unit."""

    request_id: str
    results: tuple[SkillResult, ...]
    read: tuple[int, int]
    backbone: str
    timings: Timings


@dataclass(frozen=True)
class ServedSkill:
    """A version that is served under its aliases."""

    skill: SkillVersion
    kind: SkillKind
    label_count: int
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class RefusedSkill:
    """A version that an alias names and that cannot be served."""

    skill: SkillVersion
    reason: str


@dataclass(frozen=True)
class SkillList:
    """What a server serves at one revision of its catalog."""

    revision: int
    skills: tuple[ServedSkill, ...]
    refused: tuple[RefusedSkill, ...]
    backbone: str


@dataclass(frozen=True)
class Provenance:
    """Where a version came from."""

    data_sha256: str
    rows: int
    seed: int
    code_version: str
    training_seconds: float


@dataclass(frozen=True)
class SkillDetails:
    """One version in full."""

    skill: SkillVersion
    kind: SkillKind
    method: str
    labels: tuple[str, ...]
    metrics: dict[str, float]
    provenance: Provenance
    backbone: str
    stored_bytes: int
    created_at: datetime  # UTC
