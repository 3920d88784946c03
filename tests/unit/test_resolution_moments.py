"""Dates and times, as said on a Saturday morning."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from skills.resolution.moment import read_date, read_datetime, read_time

NOW = datetime(2026, 11, 21, 11, 18, 5)


@pytest.mark.parametrize(
    ("said", "date"),
    [
        ("today", "2026-11-21"),
        ("tomorrow", "2026-11-22"),
        ("Tmrw", "2026-11-22"),
        ("the day after tomorrow", "2026-11-23"),
        ("yesterday", "2026-11-20"),
        ("tonight", "2026-11-21"),
        ("this afternoon", "2026-11-21"),
        ("tomorrow evening", "2026-11-22"),
        ("tomorrow at 7pm", "2026-11-22"),
        ("Friday", "2026-11-27"),
        ("next Friday", "2026-11-27"),
        ("this Tuesday", "2026-11-24"),
        ("on Monday", "2026-11-23"),
        ("the 8th", "2026-12-08"),
        ("the 21st", "2026-11-21"),
        ("12", "2026-12-12"),
        ("the 31st", "2026-12-31"),
        ("the 5th of next month", "2026-12-05"),
        ("the 5th of this month", "2026-11-05"),
        ("Friday the 17th", "2027-09-17"),
        ("3rd of May", "2027-05-03"),
        ("sep. 25th", "2027-09-25"),
        ("december seventh, 2026", "2026-12-07"),
        ("Thursday, August 16th, 2018", "2018-08-16"),
        ("August 16, 2018 on Thursday", "2018-08-16"),
        ("Thursday 16 August", None),  # next year a Monday
        ("2018/05/01", "2018-05-01"),
        ("12/11", "2026-12-11"),  # as Americans write
        ("28/09", "2027-09-28"),
        ("in 25 days", "2026-12-16"),
        ("in nine weeks", "2027-01-23"),
        ("in 3 months", "2027-02-21"),
        ("In three weeks and three days", "2026-12-15"),
        ("in a couple of hours", "2026-11-21"),
        ("2 days ago", "2026-11-19"),
        ("last week", "2026-W46"),
        ("next week", "2026-W48"),
        ("this month", "2026-11"),
        ("October", "2027-10"),
        ("October 2028", "2028-10"),
        ("next year", "2027"),
        ("2027", "2027"),
        ("the first Sunday of September", None),
        ("mid October", None),
        ("Easter", None),
        ("half past six", None),
        ("99", None),
        ("0", None),
        ("20261122", None),
        ("31 April", None),
        ("", None),
    ],
)
def test_a_date_is_read(said: str, date: str | None) -> None:
    assert read_date(said, NOW) == date


@pytest.mark.parametrize(
    ("said", "time"),
    [
        ("half past six", "06:30"),
        ("half past six in the evening", "18:30"),
        ("a quarter past six", "06:15"),
        ("quarter to eight pm", "19:45"),
        ("twenty-five to nine", "08:35"),
        ("ten to midnight", "23:50"),
        ("ten minutes past noon", "12:10"),
        ("seven thirty in the evening", "19:30"),
        ("eight-thirty", "08:30"),
        ("seven oh five", "07:05"),
        ("6 ish in the evening", "18:00"),
        ("around 6", "06:00"),
        ("8", "08:00"),
        ("for nine", "09:00"),
        ("8 tonight", "20:00"),
        ("10 in the morning", "10:00"),
        ("12 in the morning", "00:00"),
        ("12 at night", "00:00"),
        ("2 at night", "02:00"),
        ("9 at night", "21:00"),
        ("noon", "12:00"),
        ("midnight", "00:00"),
        ("6 o'clock", "06:00"),
        ("8 o clock pm", "20:00"),
        ("7pm", "19:00"),
        ("12 am", "00:00"),
        ("12:00PM", "12:00"),
        ("7.15 a.m.", "07:15"),
        ("07:45 P.M.", "19:45"),
        ("7:45PM.", "19:45"),
        ("1130am", "11:30"),
        ("9.30", "09:30"),
        ("17:40", "17:40"),
        ("14h30", "14:30"),
        ("1730", "17:30"),
        ("11:36:48", "11:36:48"),
        ("24:00", "00:00"),
        ("tomorrow at half past six pm", "18:30"),
        ("in 2 hours", "13:18"),
        ("in half an hour", "11:48"),
        ("now", "11:18"),
        ("evening", None),
        ("after lunch", None),
        ("tomorrow", None),
        ("25:00", None),
        ("99", None),
        ("", None),
    ],
)
def test_a_time_is_read(said: str, time: str | None) -> None:
    assert read_time(said, NOW) == time


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("tomorrow at 7pm", "2026-11-22T19:00"),
        ("tomorrow at 8", "2026-11-22T08:00"),
        ("tomorrow evening at 8", "2026-11-22T20:00"),
        ("saturday morning at nine", "2026-11-28T09:00"),
        ("the 3rd of May at half past six", "2027-05-03T06:30"),
        ("Friday the 27th at noon", "2026-11-27T12:00"),
        ("June 3 at 2pm", "2027-06-03T14:00"),
        ("10:30 tomorrow", "2026-11-22T10:30"),
        ("2026-12-24T19:00", "2026-12-24T19:00"),
        ("8 tonight", "2026-11-21T20:00"),
        ("17:40", "2026-11-21T17:40"),  # still to come today
        ("9am", "2026-11-22T09:00"),  # tomorrow
        ("in 2 hours", "2026-11-21T13:18"),
        ("2 hours ago", "2026-11-21T09:18"),
        ("tonight", "2026-11-21"),
        ("Friday", "2026-11-27"),
        ("next week", "2026-W48"),
        ("next week at 8", None),
        ("8", None),  # an hour, or a day
        ("soon", None),
    ],
)
def test_a_date_and_a_time_are_read_together(said: str, moment: str | None) -> None:
    assert read_datetime(said, NOW) == moment


def test_the_time_zone_of_the_reference_is_left_out() -> None:
    now = NOW.replace(tzinfo=UTC)
    assert read_datetime("tomorrow at 7pm", now) == "2026-11-22T19:00"
    assert read_datetime("9am", now) == "2026-11-22T09:00"
    assert read_time("in 2 hours", now) == "13:18"
