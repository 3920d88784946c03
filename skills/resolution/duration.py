"""Durations as ISO 8601 writes them: "two and a half hours" is PT2H30M, "2 weeks" is P14D."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from skills.resolution.figures import in_figures
from skills.resolution.number import without_fractions

_NAMES = {
    "years": "years? yrs? y",
    "months": "months? mos? mths?",
    "fortnights": "fortnights?",
    "weeks": "weeks? wks? w",
    "days": "days? d",
    "hours": "hours? hrs? h",
    "minutes": "minutes? mins? m",
    "seconds": "seconds? secs? s",
}
_UNITS = "|".join(f"(?P<{unit}>{'|'.join(names.split())})" for unit, names in _NAMES.items())
_PART = re.compile(rf"(?P<number>\d+(?:\.\d+)?)(?: ?-| )?(?:{_UNITS})(?![a-z])\.?")
_BETWEEN = re.compile(r"\s*(?:,|and|, and)?\s*")
_LEADING = re.compile(
    r"^(?:for|about|around|roughly|just|only|exactly|the (?:next|last|past|whole)|next|last|in) "
)
_MINUTES = re.compile(r"(?<=\dh)(\d{1,2})$")  # 1h30


def read_duration(text: str) -> str | None:
    """Return the duration if the text is nothing else, None otherwise."""
    from isodate import Duration, duration_isoformat

    figures = _LEADING.sub("", without_fractions(in_figures(text)))
    parts = _parts(_MINUTES.sub(r"\1m", figures))
    if not parts:
        return None
    months = 12 * parts.pop("years", Decimal(0)) + parts.pop("months", Decimal(0))
    if months != int(months):
        return None  # months differ in length
    weeks = parts.pop("weeks", Decimal(0)) + 2 * parts.pop("fortnights", Decimal(0))
    exact = timedelta(weeks=float(weeks), **{unit: float(number) for unit, number in parts.items()})
    years, rest = divmod(int(months), 12)
    return str(duration_isoformat(Duration(years=years, months=rest, seconds=exact.total_seconds())))


def _parts(figures: str) -> dict[str, Decimal] | None:
    """Return numbers by unit, None if there is anything else or a unit twice."""
    parts: dict[str, Decimal] = {}
    position = 0
    while position < len(figures):
        found = _PART.match(figures, position)
        if not found:
            return None
        unit = next(unit for unit in _NAMES if found[unit])
        if unit in parts:
            return None
        parts[unit] = Decimal(found["number"])
        position = found.end()
        between = _BETWEEN.match(figures, position)
        position = between.end() if between else position
    return parts
