"""Numbers, amounts and durations."""

from __future__ import annotations

import pytest

from skills.resolution.amount import read_amount
from skills.resolution.duration import read_duration
from skills.resolution.figures import in_figures
from skills.resolution.number import read_number


@pytest.mark.parametrize(
    ("said", "figures"),
    [
        ("For  SIX", "for 6"),
        ("seventy-five", "75"),
        ("two hundred and fifty", "250"),
        ("the twenty first of May", "the 21st of may"),
        ("half a million", "500000"),
        ("quarter of a million", "250000"),
        ("one point five million", "1500000"),
        ("2.5k", "2500"),
        ("a dozen", "12"),
        ("dozen", "12"),
        ("half a dozen", "6"),
        ("two dozen", "24"),
        ("two and a half hours", "2.5 hours"),
        ("an hour and a half", "1.5 hour"),
        ("half an hour", "0.5 hour"),
        ("three quarters of an hour", "0.75 hour"),
        ("a couple of hours", "2 hours"),
        ("one second", "1 sec"),
        ("the second of May", "the 2nd of may"),
        ("half past six", "half past 6"),
        ("minus five", "-5"),
        ("2½", "2 1/2"),
        ("nobody", "nobody"),
    ],
)
def test_spoken_numbers_are_written_in_figures(said: str, figures: str) -> None:
    assert in_figures(said) == figures


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("8", "8"),
        ("for six", "6"),
        ("6 people", "6"),
        ("the three of us", "3"),
        ("1,200", "1200"),
        ("1 000,5", "1000.5"),
        ("1.200,50", "1200.5"),
        ("1.500", "1.5"),
        ("12.50", "12.5"),
        ("13th", "13"),
        ("two and a half", "2.5"),
        ("2 1/2", "2.5"),
        ("3/4", "0.75"),
        ("½", "0.5"),
        ("five point five", "5.5"),
        ("−4", "-4"),
        ("minus five", "-5"),
        ("ten thousand", "10000"),
        ("one fifty", None),  # 150, or 1.50
        ("two adults and one child", None),
        ("three adults and a baby", None),
        ("two or three", None),
        ("some", None),
        ("1/0", None),
        ("", None),
    ],
)
def test_a_number_alone_is_read(said: str, number: str | None) -> None:
    assert read_number(said) == number


@pytest.mark.parametrize(
    ("said", "amount"),
    [
        ("$12.50", "12.50 USD"),
        ("twenty euros", "20.00 EUR"),
        ("20 eur", "20.00 EUR"),
        ("EUR 12.5", "12.50 EUR"),
        ("12,50 €", "12.50 EUR"),
        ("1.200,50 EUR", "1200.50 EUR"),
        ("1.500 €", "1500.00 EUR"),
        ("$0.005", "0.005 USD"),
        ("100 yen", "100 JPY"),
        ("¥300", "300 JPY"),
        ("five pounds", "5.00 GBP"),
        ("100 quid", "100.00 GBP"),
        ("A$20", "20.00 AUD"),
        ("US$ 5", "5.00 USD"),
        ("30 Canadian dollars", "30.00 CAD"),
        ("a thousand norwegian kroner", "1000.00 NOK"),
        ("half a million dollars", "500000.00 USD"),
        ("1.5m euros", "1500000.00 EUR"),
        ("about 2k", "2000"),
        ("two hundred and fifty", "250"),
        ("20 pesos", None),  # of several countries
        ("50 cents", None),
        ("five dollars and fifty cents", None),
        ("20 %", None),
        ("three cups", None),  # CUP is a currency
        ("euros", None),
    ],
)
def test_an_amount_is_read_with_its_currency(said: str, amount: str | None) -> None:
    assert read_amount(said) == amount


@pytest.mark.parametrize(
    ("said", "duration"),
    [
        ("two and a half hours", "PT2H30M"),
        ("45 min", "PT45M"),
        ("1h30", "PT1H30M"),
        ("1h 30m", "PT1H30M"),
        ("an hour and a half", "PT1H30M"),
        ("half an hour", "PT30M"),
        ("a quarter of an hour", "PT15M"),
        ("1 hour, 5 minutes and 3 seconds", "PT1H5M3S"),
        ("for 90 minutes", "PT1H30M"),
        ("30-minute", "PT30M"),
        ("a second", "PT1S"),
        ("three days", "P3D"),
        ("the next 2 weeks", "P14D"),
        ("a fortnight", "P14D"),
        ("18 months", "P1Y6M"),
        ("2 years and 3 months", "P2Y3M"),
        ("1.5 months", None),
        ("overnight", None),
        ("1:30", None),  # hours, or minutes
        ("1 hour 1 hour", None),
        ("2 hours ago", None),
        ("5", None),
        ("", None),
    ],
)
def test_a_duration_is_read(said: str, duration: str | None) -> None:
    assert read_duration(said) == duration
