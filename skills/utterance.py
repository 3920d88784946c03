"""A labeled utterance and where it was read."""

from __future__ import annotations

from dataclasses import dataclass

from skills.slot import SlotLabel


@dataclass(frozen=True)
class Entity:
    """A marked part of an utterance: `text[start:end]` in code points, and what it stands for."""

    slot: str
    start: int
    end: int
    value: str  # resolved if the data says so ("New York City"), else as it reads ("NYC")
    role: str = ""
    group: str = ""

    @property
    def label(self) -> SlotLabel:
        """What a tagger is to call it."""
        return SlotLabel(self.slot, self.role, self.group)


@dataclass(frozen=True)
class Utterance:
    """One row of a data file: a text, its intent, and the place it came from (for messages).

    The intent of a row that has only slots is "".
    """

    text: str
    intent: str
    file: str = ""
    row: int = 0  # 1-based line in the file
    entities: tuple[Entity, ...] = ()
    expected_slots: tuple[str, ...] = ()  # the dialog had just asked for them

    @property
    def place(self) -> str:
        """Where to find the row, for messages."""
        return f"{self.file}:{self.row}" if self.row else self.file
