from __future__ import annotations

import pytest

from nlu.rate import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("rate", "at_once"), [(10.0, 10), (1.0, 1), (0.25, 1), (2.5, 2)])
def test_a_second_s_worth_goes_at_once_and_the_rest_at_the_rate(rate: float, at_once: int) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, clock)
    assert [bucket.take() for _ in range(at_once)] == [0.0] * at_once
    seconds = bucket.take()
    assert 0 < seconds <= 1 / rate
    clock.now += seconds / 2
    assert bucket.take() == pytest.approx(seconds / 2)
    clock.now += seconds / 2 + 1e-9
    assert bucket.take() == 0.0


def test_over_a_long_time_the_rate_is_kept_however_often_one_asks() -> None:
    clock = Clock()
    bucket = TokenBucket(5.0, clock)
    taken = 0
    for _ in range(10_000):  # 100 s
        taken += bucket.take() == 0.0
        clock.now += 0.01
    assert 5 * 100 <= taken <= 5 * 101


def test_a_debt_is_waited_for_and_a_pause_saves_no_more_than_a_second() -> None:
    clock = Clock()
    bucket = TokenBucket(10.0, clock)
    assert bucket.take() == 0.0
    bucket.owe(108)  # with the first, 99 more than there were
    assert bucket.take() == pytest.approx(10.0)
    clock.now += 1000.0
    assert [bucket.take() for _ in range(10)] == [0.0] * 10
    assert bucket.take() > 0
