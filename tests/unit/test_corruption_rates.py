from __future__ import annotations

import pytest

from skills.corruption import CorruptionRates
from skills.errors import InputError


def test_rates_are_changed_by_name() -> None:
    rates = CorruptionRates().changed("article=0.5, clean = 0")

    assert (rates.article, rates.clean) == (0.5, 0.0)
    assert rates.spelling == CorruptionRates().spelling
    assert "clean" not in rates.kinds
    assert len(rates.kinds) == 8


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("", "'' is not known, write NAME=RATE of agreement, article"),
        ("typos=1", "'typos' is not known"),
        ("article=1,article=2", "'article' is given twice"),
        ("article=a lot", "'a lot' is no number, write article=0.2"),
        ("article=-1", "rate article is -1.0, allowed are 0 to 100"),
        ("article=nan", "rate article is nan"),
        ("clean=2", "share clean is 2.0, allowed are 0 to 1"),
    ],
)
def test_what_is_no_rate_is_refused(option: str, said: str) -> None:
    with pytest.raises(InputError, match=r"rate|share") as caught:
        CorruptionRates().changed(option)
    assert said in str(caught.value)


def test_some_error_must_be_possible() -> None:
    none = dict.fromkeys(CorruptionRates().kinds, 0.0)
    with pytest.raises(InputError, match="all rates are 0"):
        CorruptionRates(**none)
    assert CorruptionRates(**none, clean=1.0).clean == 1.0
