"""Times of day as people say them: "half past six in the evening" is 18:30, "ten to midnight" 23:50.

dateparser 1.5 knows 6:30 and 7pm, but none of these; ctparse knows some, in several ms and from a pickle.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

_BEFORE = r"(?:at|around|about|by)"
_HOUR = r"(?P<hour>\d{1,2})"
_MINUTE = r"(?P<minute>[0-5]\d)"
_MERIDIEM = r"(?:\s?(?P<meridiem>[ap])\.?\s?m\b\.?)"
_NAMED = r"(?P<named>noon|midday|midnight)"
_OFFSET = (
    r"(?P<offset>half|(?:an? |1 )?quarter|[1-5]?\d)(?: minutes?| mins?)? (?P<side>past|to|after|before|till)"
)
_ISH = r"(?: ?-?ish\b)?"
_OCLOCK = r" ?o'? ?clock"

# The first that is found is read.
_FORMS = tuple(
    re.compile(rf"(?<![\d.:/-])(?:\b{_BEFORE} )?{form}(?![\d:/-])", re.ASCII)
    for form in (
        rf"{_OFFSET} (?:{_NAMED}|{_HOUR}(?:{_OCLOCK})?){_MERIDIEM}?",
        rf"{_HOUR}:{_MINUTE}(?::(?P<second>[0-5]\d))?{_ISH}{_MERIDIEM}?",
        rf"{_HOUR}h{_MINUTE}",
        rf"{_HOUR}[. ]?{_MINUTE}{_MERIDIEM}",
        rf"{_HOUR}{_ISH}{_MERIDIEM}",
        rf"{_HOUR}{_OCLOCK}{_ISH}{_MERIDIEM}?",
        rf"{_HOUR}(?:[. ]{_MINUTE})?{_ISH}(?= in the (?:morning|afternoon|evening)| at night| tonight)",
        rf"\b(?<=at ){_HOUR}(?:[. ]{_MINUTE})?(?= on\b| today| tomorrow|$)",
        rf"{_HOUR} (?:oh|o) ?(?P<digit>\d)",
        rf"\b{_NAMED}\b",
    )
)
# These are times only where nothing else can be meant.
_BARE = tuple(
    re.compile(rf"(?:{_BEFORE} |for )?{form}{_ISH}", re.ASCII) for form in (rf"{_HOUR}[-. ]?{_MINUTE}", _HOUR)
)
_PART = re.compile(
    r"\b(?:(?:(?P<this>this)|in the|at|during the|on) )?"
    r"(?:(?P<part>morning|afternoon|evening|night)|(?P<tonight>tonight))\b"
)
_OFFSETS = {"half": 30, "quarter": 15}
_NAMES = {"noon": 12, "midday": 12, "midnight": 0}
_PUNCTUATION = " .,;!?"


@dataclass(frozen=True)
class Clock:
    """A time of day, None if there was none, and what else was said."""

    time: time | None
    rest: str


def read_clock(figures: str, *, bare: bool) -> Clock:
    """Split a text in figures into a time of day and the rest, in which "tonight" is "today".

    Without "pm" or a part of the day a time is read as written: 6:30 is in the morning.

    Args:
        figures: the text.
        bare: whether a number alone is an hour.
    """
    found = next((match for form in _FORMS if (match := form.search(figures))), None)
    rest = _without(found, figures) if found else figures
    part = _PART.search(rest)
    if part:
        rest = _without(part, rest) + (" today" if part["this"] or part["tonight"] else "")
    rest = rest.strip(_PUNCTUATION)
    if not found and bare:
        alone = rest.removesuffix("today").strip(_PUNCTUATION)
        found = next((match for form in _BARE if (match := form.fullmatch(alone))), None)
        rest = "" if found else rest
    return Clock(_time(found.groupdict(), part) if found else None, rest)


def _without(found: re.Match[str], text: str) -> str:
    return " ".join(f"{text[: found.start()]} {text[found.end() :]}".split())


def _time(said: dict[str, str | None], part: re.Match[str] | None) -> time | None:
    period = said.get("meridiem") or (part and (part["part"] or "night"))
    named = said.get("named")
    hour = _NAMES[named] if named else _hour(int(said["hour"] or 0), period)
    minute = int(said.get("minute") or said.get("digit") or 0)
    if offset := said.get("offset"):
        minutes = _OFFSETS.get(offset.rpartition(" ")[2]) or int(offset)
        minute = minutes if said["side"] in ("past", "after") else -minutes
    if hour > 24:
        return None
    minute += 60 * hour
    return time(minute // 60 % 24, minute % 60, int(said.get("second") or 0))


def _hour(hour: int, period: str | None) -> int:
    """Return the hour of the day; twelve at night, and what is said of the hours after it, is early."""
    if period is None or hour > 12:
        return hour
    if period in ("a", "morning") or (period == "night" and (hour == 12 or hour < 5)):
        return hour % 12
    return hour % 12 + 12
