from __future__ import annotations

import pytest

from nlu.pace import ALONE, ALONE_SECONDS, BURST, BURST_SECONDS, LIGHT, TOKEN_SECONDS, WEIGHT, Pace


def learned(pace: Pace, seconds: float, lengths: list[int]) -> Pace:
    for _ in range(200):
        pace.end(seconds, lengths)
    return pace


def test_what_a_token_takes_is_learned_from_all_batches() -> None:
    pace = Pace()
    assert pace.seconds(100) == pytest.approx(100 * TOKEN_SECONDS)
    learned(pace, 0.02, [10, 30])
    assert pace.seconds(100) == pytest.approx(0.05, rel=1e-3)


def test_the_bound_is_a_multiple_of_what_a_row_takes_alone() -> None:
    pace = Pace()
    assert pace.allowed(0.0) == pytest.approx(ALONE * ALONE_SECONDS)
    learned(pace, 0.2, [10, 30])
    assert pace.allowed(0.0) == pytest.approx(ALONE * ALONE_SECONDS)
    learned(pace, 0.003, [12])
    assert pace.allowed(0.0) == pytest.approx(ALONE * 0.003, rel=1e-3)


def test_a_burst_may_wait_for_longer_but_not_for_ever() -> None:
    pace = Pace()
    pace.paused(100.0)
    usual = ALONE * ALONE_SECONDS
    assert pace.allowed(100.0 + 0.9 * BURST_SECONDS) == pytest.approx(BURST * usual)
    assert pace.allowed(100.0 + 1.1 * BURST_SECONDS) == pytest.approx(usual)


def test_a_bound_of_ones_own_is_kept() -> None:
    pace = Pace(0.5)
    pace.paused(100.0)
    learned(pace, 0.003, [12])
    assert pace.allowed(100.0) == 0.5


def test_who_waits_for_little_may_wait_for_longer() -> None:
    pace = Pace(0.5)
    assert pace.allowed(100.0, light=True) == LIGHT * 0.5


def test_a_batch_that_hung_is_no_rule() -> None:
    pace = Pace()
    pace.end(3600.0, [10])
    assert pace.seconds(1) == pytest.approx((1 + WEIGHT) * TOKEN_SECONDS)


def test_the_rest_of_a_batch_is_never_less_than_nothing() -> None:
    pace = Pace()
    assert pace.rest(100.0) == 0
    pace.begin(100.0, [10, 20])
    assert pace.rest(100.01) == pytest.approx(30 * TOKEN_SECONDS - 0.01)
    assert pace.rest(200.0) == 0
