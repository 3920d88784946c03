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
    JOINT = "intent+slots"


@dataclass(frozen=True)
class ParseRequest:
    """One utterance and what is asked of it.

    skills: each `name`, `name@3` or `name@candidate`; none asks all live skills. n_best: length of the
    ranking, 0 for the server's choice. An intent below min_confidence is answered as out of scope, a slot
    below it is left out. expected_slots: names that the dialog has just asked for, so that a bare "for six"
    is one of them. reference_time: what "tomorrow" counts from, by the user's wall clock (a zone is
    ignored); None for the server's clock. correct_grammar: a grammar skill runs first, and the others read
    its correction, unless slots are expected. explain: answers of intents name the utterances that they
    resemble, which needs an API key of the scope "train" where keys are asked for.
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
    reference_time: datetime | None = None
    correct_grammar: bool = False
    explain: bool = False


@dataclass(frozen=True)
class Intent:
    """A label and the calibrated probability that it is right."""

    name: str
    confidence: float


@dataclass(frozen=True)
class SimilarUtterance:
    """An utterance that the skill knows the intent of; similarity is the cosine of their features."""

    text: str
    intent: str
    similarity: float


@dataclass(frozen=True)
class SlotAlternative:
    """What else a span may be, and how probable that is."""

    name: str
    confidence: float
    role: str = ""
    group: str = ""


@dataclass(frozen=True)
class Slot:
    """A slot that was found: `text[start:end]` is `raw`, in the asked offset unit.

    value: what it resolves to, such as an ISO 8601 date; `raw` if it does not resolve. confidence: the
    calibrated probability that exactly this span fills this slot. alternatives: other slots, best first.
    """

    name: str
    start: int
    end: int
    raw: str
    value: str
    confidence: float
    role: str = ""
    group: str = ""
    alternatives: tuple[SlotAlternative, ...] = ()


@dataclass(frozen=True)
class Edit:
    """A change to the text: `replacement` takes the place of `text[start:end]`, in the asked offset unit."""

    start: int
    end: int
    replacement: str
    confidence: float


@dataclass(frozen=True)
class Grammar:
    """What a grammar skill says: the edits, ascending, turn the text into `corrected_text` exactly.

    confidence is the calibrated probability that the text is grammatical.
    """

    is_grammatical: bool
    confidence: float
    corrected_text: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class SkillVersion:
    """One immutable version of a skill; sha256 is of its tensors, hex."""

    name: str
    version: int
    sha256: str


@dataclass(frozen=True)
class SkillResult:
    """One skill's answer, as its kind has it.

    Of intents, the ranking best first, the probability that the utterance is in scope and, if that was asked,
    what it resembles, nearest first; the slots in the order of the text; grammar is None of other kinds.
    """

    skill: SkillVersion
    kind: SkillKind
    outcome: Outcome
    ranking: tuple[Intent, ...] = ()
    in_scope: float = 0.0
    slots: tuple[Slot, ...] = ()
    grammar: Grammar | None = None
    similar: tuple[SimilarUtterance, ...] = ()

    @property
    def intent(self) -> Intent | None:
        """The answer, or None if the utterance matched nothing, or the skill knows no intents."""
        matched = self.outcome in (Outcome.MATCHED, Outcome.AMBIGUOUS)
        return self.ranking[0] if matched and self.ranking else None


@dataclass(frozen=True)
class Timings:
    """Where the server's time went, in microseconds, and the rows of the largest batch."""

    tokenise_us: int
    queue_us: int
    inference_us: int
    batch_rows: int


@dataclass(frozen=True)
class ParseResult:
    """The answer to one request; `read` is the span of the text that the model saw, in the asked unit.

    corrected_text: with correct_grammar, what the other skills read; all offsets are of the text as sent.
    """

    request_id: str
    results: tuple[SkillResult, ...]
    read: tuple[int, int]
    backbone: str
    timings: Timings
    corrected_text: str = ""


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
