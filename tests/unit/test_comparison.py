from __future__ import annotations

import pytest

from skills.comparison import Answered, Change, ComparedRow, Comparison, LabelScore, compare
from skills.errors import InputError

RIGHT, WRONG, OTHER = Answered("a", True), Answered("b", False), Answered("c", False)


def row(first: Answered, second: Answered) -> ComparedRow:
    return ComparedRow("hello", "a", first, second)


def comparison(*, better: int = 0, worse: int = 0, same: int = 0) -> Comparison:
    rows = [row(WRONG, RIGHT)] * better + [row(RIGHT, WRONG)] * worse + [row(RIGHT, RIGHT)] * same
    return compare(rows, {}, {})


@pytest.mark.parametrize(
    ("first", "second", "change"),
    [
        (WRONG, RIGHT, Change.BETTER),
        (RIGHT, WRONG, Change.WORSE),
        (WRONG, OTHER, Change.DIFFERENT),
        (WRONG, WRONG, Change.NONE),
        (RIGHT, RIGHT, Change.NONE),
        (RIGHT, Answered("another correction", True), Change.NONE),
    ],
)
def test_a_row_changes_in_one_way(first: Answered, second: Answered, change: Change) -> None:
    compared = row(first, second)
    assert compared.change is change
    assert {each: compare([compared], {}, {}).of(each) for each in Change} == {
        each: (compared,) if each is change else () for each in Change
    }


def test_shares_count_all_rows() -> None:
    found = comparison(better=1, worse=2, same=5)
    assert (found.first_right, found.second_right) == (7 / 8, 6 / 8)


@pytest.mark.parametrize(
    ("better", "worse", "p_value"),
    [  # twice the binomial tail, counted by hand
        (0, 0, 1.0),
        (3, 3, 1.0),
        (5, 1, 2 * 7 / 64),
        (1, 5, 2 * 7 / 64),
        (6, 0, 2 / 64),
        (9, 1, 2 * 11 / 1024),
    ],
)
def test_p_is_that_of_mcnemars_exact_test(better: int, worse: int, p_value: float) -> None:
    found = comparison(better=better, worse=worse, same=100)
    assert found.p_value == pytest.approx(p_value)
    assert found.significant is (p_value < 0.05)


def test_labels_that_changed_come_most_changed_first() -> None:
    first = {
        "a": LabelScore(3, 0.5),
        "b": LabelScore(2, 0.9),
        "c": LabelScore(1, 1.0),
        "gone": LabelScore(1, 1),
    }
    second = {
        "a": LabelScore(3, 0.6),
        "b": LabelScore(2, 0.4),
        "c": LabelScore(1, 1.0),
        "new": LabelScore(1, 1),
    }
    found = compare([row(RIGHT, RIGHT)], first, second).labels
    assert [(each.label, each.rows, each.first, each.second) for each in found] == [
        ("b", 2, 0.9, 0.4),
        ("a", 3, 0.5, 0.6),
    ]
    assert [each.difference for each in found] == pytest.approx([-0.5, 0.1])


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="no rows"):
        compare([], {}, {})
