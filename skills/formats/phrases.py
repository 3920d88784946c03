"""Lists of phrases that Rasa NLU files hold beside the intents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PhraseKind(StrEnum):
    """What a list of phrases is for; the value is the key in the file."""

    SYNONYM = "synonym"  # ways to say the value that the list is named after
    LOOKUP = "lookup"  # values of a slot
    REGEX = "regex"  # patterns of a slot or a feature


@dataclass(frozen=True)
class PhraseList:
    """A named list of phrases, as written."""

    kind: PhraseKind
    name: str
    phrases: tuple[str, ...]
