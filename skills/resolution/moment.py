"""Dates and times as ISO 8601 writes them, in the wall-clock time of the reference: "tomorrow at 7pm".

What names a month, a week or a year only is written so: 2026-10, 2026-W48, 2027.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from skills.resolution.clock import read_clock
from skills.resolution.figures import in_figures

_LANGUAGES = ["en"]
_SETTINGS = {
    "PREFER_DATES_FROM": "future",  # dialogs book more than they report
    "PARSERS": ["relative-time", "absolute-time"],  # a number alone is no timestamp
    "RETURN_TIME_AS_PERIOD": True,
    "RETURN_AS_TIMEZONE_AWARE": False,
}
_LEADING = re.compile(r"^(?:on|for|by|around|about|at|from|until|till|coming|this coming|the coming) ")
_ABBREVIATED = {"tmrw": "tomorrow", "tmr": "tomorrow", "tmw": "tomorrow"}
_FIGURES = re.compile(r"\d{4}|\d{1,4}([-/.])\d{1,2}\1\d{1,4}|\d{1,2}/\d{1,2}|\d{4}-\d{1,2}")  # of a date
_WORD = re.compile(r"[^\W\d_]+")
_COUNTED = re.compile(r"^in \d|\b(?:ago|from now|later|hence)$")
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAY = rf"\b(?P<weekday>{'|'.join(_WEEKDAYS)})(?:day|s|sday|nesday|r|rs|rsday|urday)?\b"
_NAMED_WEEKDAY = re.compile(_WEEKDAY)
_DAY_OF_MONTH = re.compile(
    rf"(?:{_WEEKDAY},? )?(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?: of (?P<month>\w+) month)?"
)
_CHOICES = {None: slice(None), "this": slice(1), "the": slice(1), "next": slice(1, 2)}  # of months
_MONTHS_AHEAD = 36  # within them, every day up to the 28th falls on every weekday


@dataclass(frozen=True)
class _Moment:
    """A moment and what of it was said: "time", "day", "week", "month" or "year"."""

    at: datetime
    period: str


def read_date(text: str, now: datetime) -> str | None:
    """Return the date, None if it is none."""
    figures = in_figures(text)
    clock = read_clock(figures, bare=False)
    moment = _moment(clock.rest, now, day_alone=True)
    return None if moment is None else _written_date(moment, clock.rest)


def read_time(text: str, now: datetime) -> str | None:
    """Return the time of day, None if it is none."""
    clock = read_clock(in_figures(text), bare=True)
    if clock.time:
        return _written_time(clock.time)
    moment = _moment(clock.rest, now)
    return _written_time(moment.at.time()) if moment and moment.period == "time" else None


def read_datetime(text: str, now: datetime) -> str | None:
    """Return date and time of day; only the date if no time was said; of a time alone, when it comes next."""
    clock = read_clock(in_figures(text), bare=False)
    if clock.time is None:
        moment = _moment(clock.rest, now)
        if moment and moment.period == "time":
            return f"{moment.at.date()}T{_written_time(moment.at.time())}"
        return _written_date(moment, clock.rest) if moment else None
    day = _next(clock.time, now) if not clock.rest else _day(clock.rest, now)
    return f"{day}T{_written_time(clock.time)}" if day else None


def _next(at: time, now: datetime) -> date:
    return now.date() + timedelta(days=at <= now.time().replace(tzinfo=None))


def _day(figures: str, now: datetime) -> date | None:
    moment = _moment(figures, now)
    return moment.at.date() if moment and moment.period in ("time", "day") else None


def _moment(figures: str, now: datetime, *, day_alone: bool = False) -> _Moment | None:
    """Return the moment that is named; with `day_alone` a number is a day of the month."""
    now = now.replace(second=0, microsecond=0, tzinfo=None)
    said = _LEADING.sub("", _WORD.sub(lambda word: _ABBREVIATED.get(word[0], word[0]), figures))
    if (day := _DAY_OF_MONTH.fullmatch(said)) and (day_alone or not said.isdigit()):
        found = _day_of_month(day, now.date())
        return _Moment(datetime.combine(found, time()), "day") if found else None
    moment = _parsed(said, now)
    if moment and (weekday := _NAMED_WEEKDAY.search(said)):
        # dateparser believes the day of the month; if the weekday is another one, neither is sure.
        return moment if moment.at.weekday() == _WEEKDAYS.index(weekday["weekday"]) else None
    return moment


def _parsed(said: str, now: datetime) -> _Moment | None:
    from dateparser.date import DateDataParser

    if not (_WORD.search(said) or _FIGURES.fullmatch(said)):
        return None
    parser = DateDataParser(languages=_LANGUAGES, settings={**_SETTINGS, "RELATIVE_BASE": now})
    found = parser.get_date_data(said)
    if found.date_obj is None:
        return None
    period = "day" if found.period == "part_of_day" else found.period
    return _Moment(found.date_obj.replace(tzinfo=None), period)


def _day_of_month(said: re.Match[str], today: date) -> date | None:
    """Return the next day of that number, today included, and of that weekday if one is said."""
    day, month = int(said["day"]), said["month"]
    weekday = _WEEKDAYS.index(said["weekday"]) if said["weekday"] else None
    if month not in _CHOICES:
        return None
    for first in list(_months(today))[_CHOICES[month]]:
        try:
            found = first.replace(day=day)
        except ValueError:  # no such day in this month
            continue
        if (month or found >= today) and weekday in (None, found.weekday()):
            return found
    return None


def _months(today: date) -> Iterator[date]:
    """Yield the first days of this month and of those to come."""
    first = today.replace(day=1)
    for _ in range(_MONTHS_AHEAD):
        yield first
        first = (first + timedelta(days=31)).replace(day=1)


def _written_date(moment: _Moment, said: str) -> str:
    if moment.period in ("time", "day") or _COUNTED.search(said):
        return moment.at.date().isoformat()
    if moment.period == "week":
        year, week, _ = moment.at.isocalendar()
        return f"{year}-W{week:02}"
    return f"{moment.at:%Y}" if moment.period == "year" else f"{moment.at:%Y-%m}"


def _written_time(at: time) -> str:
    return at.isoformat("seconds" if at.second else "minutes")
