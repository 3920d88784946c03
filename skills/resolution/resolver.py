"""Turns what a slot's text says into a canonical value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from skills.resolution.amount import read_amount
from skills.resolution.closed_list import ClosedList
from skills.resolution.duration import read_duration
from skills.resolution.moment import read_date, read_datetime, read_time
from skills.resolution.number import read_number
from skills.resolution.pattern import Pattern
from skills.resolution.slot_type import SlotSchema, SlotType, ValueKind

MAX_LENGTH = 120  # characters; no date or amount is longer, and the libraries' time grows with the text

Reader = Callable[[str, datetime], str | None]

_READERS: dict[ValueKind, Reader] = {
    ValueKind.NUMBER: lambda text, _: read_number(text),
    ValueKind.AMOUNT: lambda text, _: read_amount(text),
    ValueKind.DATE: read_date,
    ValueKind.TIME: read_time,
    ValueKind.DATETIME: read_datetime,
    ValueKind.DURATION: lambda text, _: read_duration(text),
}
# What the libraries raise on texts that nobody thought of: figures of other scripts, year 10000.
_LIBRARY_ERRORS = (ArithmeticError, AttributeError, AssertionError, LookupError, TypeError, ValueError)
_WARM_UP = ("1 day", datetime(2000, 1, 1))


class Resolver:
    """Resolves the values of a skill's slots; safe to share between threads.

    The libraries that the schema needs are loaded and warmed up here, so that no request waits for them.
    """

    def __init__(self, schema: SlotSchema) -> None:
        self._types = {slot: _TypeResolver(slot_type) for slot, slot_type in schema.items()}
        for kind in {slot_type.kind for slot_type in schema.values()} & set(_READERS):
            _read(kind, *_WARM_UP)

    def resolve(self, slot: str, raw: str, *, now: datetime) -> str:
        """Return the canonical value, or `raw` itself when nothing resolves; never raises.

        Dates, times and durations are ISO 8601 ("2026-10" for a month, times as the user's wall clock shows
        them), numbers plain decimals, amounts "12.50 EUR".

        Args:
            slot: name of the slot, whatever its role and group.
            raw: the slot's text.
            now: what "tomorrow" counts from, in the user's time.
        """
        found = self._types.get(slot)
        return found.resolve(raw, now) if found else raw


class _TypeResolver:
    def __init__(self, slot_type: SlotType) -> None:
        self._kind = slot_type.kind
        self._values = ClosedList(slot_type.values)
        self._patterns = [Pattern(pattern) for pattern in slot_type.patterns]

    def resolve(self, raw: str, now: datetime) -> str:
        if value := self._values.find(raw):
            return value
        matched = next((part for pattern in self._patterns if (part := pattern.find(raw))), None)
        if matched and (value := self._values.find(matched)):
            return value
        text = matched or raw
        return _read(self._kind, text, now) or text


def _read(kind: ValueKind, text: str, now: datetime) -> str | None:
    reader = _READERS.get(kind)
    if reader is None or len(text) > MAX_LENGTH:
        return None
    try:
        return reader(text, now)
    except _LIBRARY_ERRORS:
        return None
