"""What a skill is: its kind, its name, and the immutable description of one stored version."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from skills.errors import InputError

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?")
OUT_OF_SCOPE_LABEL = "__oos__"  # marks out-of-scope rows in data files; never an answer
GRACE = timedelta(days=7)  # in which a deleted skill can be restored
LIVE = "live"  # the alias that is served when a request names no version


class SkillKind(StrEnum):
    """What a skill answers."""

    INTENT = "intent"
    SLOTS = "slots"
    GRAMMAR = "grammar"
    JOINT = "intent+slots"  # both, from one prompt and one encoder row


class Method(StrEnum):
    """How a skill was tuned."""

    DEEP_PROMPT = "deep-prompt"  # keys and values in every layer (P-Tuning v2, Liu et al. 2022)
    SOFT_PROMPT = "soft-prompt"  # input embeddings (Lester et al. 2021), PEFT's PROMPT_TUNING
    DESCRIBED = "described"  # not at all: means of what the backbone makes of labels, descriptions and rows


@dataclass(frozen=True)
class SkillRef:
    """A skill as asked for: `name`, `name@3` or `name@candidate`; without a selector, the live version."""

    name: str
    selector: int | str = LIVE

    @classmethod
    def parse(cls, text: str) -> SkillRef:
        """Read `name[@version|@alias]`.

        Raises:
            InputError: the name or the selector is not well-formed.
        """
        name, _, selector = text.partition("@")
        check_name(name)
        if not selector:
            return cls(name)
        if selector.isascii() and selector.isdigit():
            return cls(name, int(selector))
        return cls(name, check_name(selector, what="alias"))

    def __str__(self) -> str:
        return f"{self.name}@{self.selector}"


def check_name(name: str, *, what: str = "skill name") -> str:
    """Return `name` if it is a valid skill or alias name.

    Raises:
        InputError: it is not.
    """
    if not NAME.fullmatch(name):
        raise InputError(
            f"{what} {name!r} is not valid: use 1 to 64 lower-case letters, digits, '.', '_' and '-', "
            "beginning and ending with a letter or digit",
            field="name",
        )
    return name


@dataclass(frozen=True)
class Calibration:
    """Turns a head's scores into probabilities; fitted on held-out rows.

    `temperature` divides the label scores. The probability of being in scope is
    `sigmoid(scope_weight * energy + scope_bias)`; below `scope_threshold` the answer is out of scope.
    """

    temperature: float = 1.0
    scope_weight: float = 0.0
    scope_bias: float = 0.0
    scope_threshold: float = 0.0
    ambiguity_margin: float = 0.1  # answers closer than this (in probability) are ambiguous


@dataclass(frozen=True)
class Provenance:
    """Where a version came from: enough to make it again."""

    data_sha256: str
    rows: int
    seed: int
    config: dict[str, Any]
    code_version: str
    seconds: float  # training time


@dataclass(frozen=True)
class SkillDraft:
    """A trained skill that the catalog has not numbered yet; `tensors` is a safetensors file."""

    name: str
    kind: SkillKind
    method: Method
    labels: tuple[str, ...]
    backbone: str  # SHA-256 of the backbone's weights, hex
    head: dict[str, Any]  # the head's settings, JSON
    calibration: Calibration
    metrics: dict[str, float]
    provenance: Provenance
    tensors: bytes = field(repr=False)

    @classmethod
    def of(cls, version: SkillVersion, tensors: bytes) -> SkillDraft:
        """Return what publishes a stored version again."""
        described = {each.name for each in fields(cls)} - {"tensors"}
        return cls(**{name: getattr(version, name) for name in described}, tensors=tensors)


@dataclass(frozen=True)
class SkillVersion:
    """One immutable version as the catalog lists it: everything but the tensors."""

    name: str
    version: int
    kind: SkillKind
    method: Method
    labels: tuple[str, ...]
    backbone: str
    head: dict[str, Any]
    calibration: Calibration
    metrics: dict[str, float]
    provenance: Provenance
    sha256: str  # of the tensors
    bytes: int  # of the tensors
    created_at: datetime
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"
