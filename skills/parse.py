"""One question to the service and its answer, free of gRPC and of torch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from skills.errors import InputError
from skills.offsets import OffsetUnit
from skills.skill import SkillKind, SkillRef
from skills.slot import SlotLabel

if TYPE_CHECKING:
    from skills.edits import Edit

MAX_TEXT = 2000  # code points; a dialog turn is rarely over 200, and cost grows with length
MAX_SKILLS = 64  # asked in one request
MAX_N_BEST = 100
MAX_EXPECTED_SLOTS = 64


class Outcome(StrEnum):
    """What became of an utterance."""

    MATCHED = "matched"
    AMBIGUOUS = "ambiguous"
    OUT_OF_SCOPE = "out-of-scope"
    EMPTY_INPUT = "empty-input"


@dataclass(frozen=True)
class ParseRequest:
    """One utterance and the skills to answer it; no skills means all live ones.

    session_id: of the conversation. expected_slots: names that the dialog has just asked for.
    reference_time: what "tomorrow" counts from, None for now. correct_grammar: the other skills read what the
    grammar skill made of the text, unless slots are expected. explain: intents name what they resemble.

    Raises:
        InputError: a value is out of bounds; names the field.
    """

    text: str
    skills: tuple[SkillRef, ...] = ()
    request_id: str = ""
    n_best: int = 5
    min_confidence: float = 0.0
    offset_unit: OffsetUnit = OffsetUnit.CODE_POINTS
    session_id: str = ""
    expected_slots: tuple[str, ...] = ()
    reference_time: datetime | None = None
    correct_grammar: bool = False
    explain: bool = False

    def __post_init__(self) -> None:
        if len(self.text) > MAX_TEXT:
            raise InputError(
                f"text has {len(self.text)} characters, at most {MAX_TEXT} are allowed: split it up",
                field="text",
            )
        try:
            self.text.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                "text is not valid Unicode: it has half a surrogate pair", field="text"
            ) from error
        if len(self.skills) > MAX_SKILLS:
            raise InputError(
                f"{len(self.skills)} skills asked, at most {MAX_SKILLS} are allowed", field="skills"
            )
        if not 1 <= self.n_best <= MAX_N_BEST:
            raise InputError(
                f"n_best is {self.n_best}, allowed are 1 to {MAX_N_BEST}", field="options.n_best"
            )
        if not 0.0 <= self.min_confidence <= 1.0:
            raise InputError(
                f"min_confidence is {self.min_confidence}, allowed are 0 to 1", field="options.min_confidence"
            )
        if len(self.expected_slots) > MAX_EXPECTED_SLOTS:
            raise InputError(
                f"{len(self.expected_slots)} slots expected, at most {MAX_EXPECTED_SLOTS} are allowed: name "
                "those that the dialog has just asked for",
                field="context.expected_slots",
            )


@dataclass(frozen=True)
class IntentScore:
    """A label and the calibrated probability that it is right."""

    name: str
    confidence: float


@dataclass(frozen=True)
class SimilarUtterance:
    """An utterance of known intent, and how near it is to another one (cosine of features)."""

    text: str
    intent: str
    similarity: float


@dataclass(frozen=True)
class IntentAnswer:
    """What an intent skill says of one utterance: ranking best first, what it resembles nearest first."""

    outcome: Outcome
    ranking: tuple[IntentScore, ...]
    in_scope: float  # probability, [0, 1]
    similar: tuple[SimilarUtterance, ...] = ()


@dataclass(frozen=True)
class SlotAlternative:
    """What else a span may be."""

    label: SlotLabel
    confidence: float


@dataclass(frozen=True)
class SlotValue:
    """A slot that was found: `text[start:end]` is `raw`, and `value` is what it resolves to.

    confidence is the calibrated probability that exactly this span has this label.
    """

    label: SlotLabel
    start: int
    end: int
    raw: str
    value: str
    confidence: float
    alternatives: tuple[SlotAlternative, ...] = ()


@dataclass(frozen=True)
class SlotsAnswer:
    """What a slots skill says of one utterance, in the order of the text; slots do not overlap."""

    slots: tuple[SlotValue, ...]


@dataclass(frozen=True)
class GrammarAnswer:
    """What a grammar skill says of one utterance; the edits turn the text into `corrected` exactly.

    confidence is the calibrated probability that the text is grammatical.
    """

    is_grammatical: bool
    confidence: float
    corrected: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class SkillResult:
    """One skill's answer of its kind, and exactly which version gave it."""

    skill: str
    version: int
    sha256: str
    kind: SkillKind
    outcome: Outcome
    intent: IntentAnswer | None = None
    slots: SlotsAnswer | None = None
    grammar: GrammarAnswer | None = None


@dataclass(frozen=True)
class Timings:
    """Where the time of one request went, in microseconds."""

    tokenise_us: int = 0
    queue_us: int = 0
    inference_us: int = 0
    batch_rows: int = 0  # rows of the largest batch that answered

    def __add__(self, later: Timings) -> Timings:
        """Return the time of two steps, one after the other."""
        return Timings(
            self.tokenise_us + later.tokenise_us,
            self.queue_us + later.queue_us,
            self.inference_us + later.inference_us,
            max(self.batch_rows, later.batch_rows),
        )


@dataclass(frozen=True)
class ParseResult:
    """The answer to one request; all offsets are of its text, in the asked unit.

    read: the part of the text that the model saw. corrected_text: what skills other than grammar read, if
    correct_grammar was asked.
    """

    request_id: str
    results: tuple[SkillResult, ...]
    read: tuple[int, int]
    backbone: str
    timings: Timings
    corrected_text: str = ""
