"""Character offsets in the unit that the caller's language counts in."""

from __future__ import annotations

from enum import StrEnum


class OffsetUnit(StrEnum):
    """What one step of an offset is."""

    CODE_POINTS = "code-points"  # Python
    UTF16_UNITS = "utf16-units"  # JavaScript, Java, C#
    UTF8_BYTES = "utf8-bytes"  # Go, Rust, C++


_ENCODING = {OffsetUnit.UTF16_UNITS: "utf-16-le", OffsetUnit.UTF8_BYTES: "utf-8"}
_UNIT_BYTES = {OffsetUnit.UTF16_UNITS: 2, OffsetUnit.UTF8_BYTES: 1}


def convert_offset(text: str, offset: int, unit: OffsetUnit) -> int:
    """Return a code-point offset into `text` in another unit."""
    if unit is OffsetUnit.CODE_POINTS:
        return offset
    return len(text[:offset].encode(_ENCODING[unit])) // _UNIT_BYTES[unit]


def convert_span(text: str, span: tuple[int, int], unit: OffsetUnit) -> tuple[int, int]:
    """Return a code-point span of `text` in another unit."""
    return convert_offset(text, span[0], unit), convert_offset(text, span[1], unit)
