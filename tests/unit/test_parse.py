"""What a request may hold."""

from __future__ import annotations

from typing import Any

import pytest

from skills.errors import InputError
from skills.parse import MAX_EXPECTED_SLOTS, MAX_SKILLS, MAX_TEXT, ParseRequest, Timings
from skills.skill import SkillRef


@pytest.mark.parametrize(
    ("values", "field", "message"),
    [
        ({"text": "a" * (MAX_TEXT + 1)}, "text", "2001 characters"),
        ({"text": "half \ud83d"}, "text", "surrogate"),
        ({"skills": (SkillRef("a"),) * (MAX_SKILLS + 1)}, "skills", "65 skills"),
        ({"n_best": 0}, "options.n_best", "n_best is 0"),
        ({"n_best": 101}, "options.n_best", "n_best is 101"),
        ({"min_confidence": -0.1}, "options.min_confidence", "-0.1"),
        ({"min_confidence": float("nan")}, "options.min_confidence", "nan"),
        ({"expected_slots": ("city",) * (MAX_EXPECTED_SLOTS + 1)}, "context.expected_slots", "65 slots"),
    ],
)
def test_a_value_out_of_bounds_is_named(values: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        ParseRequest(**{"text": "hello", **values})
    assert error.value.field == field


@pytest.mark.parametrize("text", ["", " \n", "a" * MAX_TEXT, "\U0001f600 שלום é"])
def test_any_valid_text_is_accepted(text: str) -> None:
    assert ParseRequest(text).text == text


def test_times_of_two_steps_add_up() -> None:
    assert Timings(1, 2, 3, 4) + Timings(10, 20, 30, 2) == Timings(11, 22, 33, 4)
