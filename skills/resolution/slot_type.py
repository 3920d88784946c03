"""What kind of value a slot has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from skills.errors import InputError
from skills.resolution.closed_list import ClosedList
from skills.resolution.pattern import check_pattern


class ValueKind(StrEnum):
    """How the value of a slot is read."""

    TEXT = "text"  # as it is, unless a value or a pattern matches
    LIST = "list"  # one of the values
    NUMBER = "number"
    AMOUNT = "amount"  # of money
    DATE = "date"
    TIME = "time"
    DATETIME = "datetime"
    DURATION = "duration"


@dataclass(frozen=True)
class SlotType:
    """The kind of a slot's values, and for any kind values with synonyms and patterns that come first.

    Raises:
        InputError: a list has no values, a synonym belongs to two of them, or a pattern is not valid.
    """

    kind: ValueKind = ValueKind.TEXT
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # canonical to synonyms
    patterns: tuple[str, ...] = ()  # regular expressions; the first match in the text is read instead of it

    def __post_init__(self) -> None:
        if self.kind is ValueKind.LIST and not self.values:
            raise InputError("a slot of kind list has no values: add some, or make it text", field="values")
        ClosedList(self.values)
        for pattern in self.patterns:
            check_pattern(pattern)


SlotSchema = Mapping[str, SlotType]  # by slot, whatever its role and group
