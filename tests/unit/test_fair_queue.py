from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.fair_queue import DEBTS, FairQueue, Lane

NOISY, QUIET = Lane("noisy", ("a",)), Lane("quiet", ("a",))


def popped(queue: FairQueue[str], items: int) -> list[str]:
    return [queue.pop()[1] for _ in range(items)]


def test_one_lane_is_first_come_first_served() -> None:
    queue: FairQueue[str] = FairQueue()
    for name, cost in (("first", 9), ("second", 1), ("third", 5)):
        queue.push(NOISY, name, cost)
    assert len(queue) == 3
    assert [queue.pop() for _ in range(3)] == [(NOISY, "first"), (NOISY, "second"), (NOISY, "third")]
    assert len(queue) == queue.callers == 0
    with pytest.raises(IndexError):
        queue.pop()


@pytest.mark.parametrize("quiet", [QUIET, NOISY._replace(skills=("b",)), NOISY._replace(bulk=True)])
def test_who_asks_for_little_is_next_however_much_others_wait_for(quiet: Lane) -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(50):
        queue.push(NOISY, "noise", 10)
    assert popped(queue, 3) == ["noise"] * 3
    queue.push(quiet, "quiet", 10)
    assert "quiet" in popped(queue, 2)


def test_a_caller_gets_no_more_by_asking_for_many_skills() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(60):
        queue.push(Lane("noisy", (f"skill {number % 10}",)), "noisy", 10)
        queue.push(QUIET, "quiet", 10)
    assert Counter(popped(queue, 40)) == {"noisy": 20, "quiet": 20}


def test_a_caller_whose_item_was_dear_waits_for_the_others_to_have_as_much() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(20):
        queue.push(NOISY, "cheap", 1)
    queue.push(QUIET, "dear", 10)
    assert "dear" in popped(queue, 2)
    queue.push(QUIET, "dear again", 10)
    assert popped(queue, 9) == ["cheap"] * 9
    assert "dear again" in popped(queue, 2)


@given(st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=12), min_size=2, max_size=4))
def test_callers_that_all_wait_have_had_about_the_same(costs: list[list[int]]) -> None:
    queue: FairQueue[int] = FairQueue()
    for caller, items in enumerate(costs):
        for cost in items:
            queue.push(Lane(str(caller)), cost, cost)
    had: Counter[str] = Counter()
    left = {str(caller): len(items) for caller, items in enumerate(costs)}
    while all(left.values()):
        lane, cost = queue.pop()
        had[lane.caller] += cost
        left[lane.caller] -= 1
        assert max(had[caller] for caller in left) - min(had[caller] for caller in left) <= 2 * 20


def test_what_is_ahead_is_what_would_be_popped_first() -> None:
    queue: FairQueue[str] = FairQueue()
    assert queue.ahead(QUIET) == 0
    for _ in range(10):
        queue.push(NOISY, "noise", 6)
    assert queue.ahead(NOISY) == 60
    assert queue.ahead(NOISY._replace(skills=("b",))) == 6
    assert queue.ahead(QUIET) == 6
    queue.push(QUIET, "quiet", 6)
    assert queue.ahead(QUIET) == 12
    assert queue.ahead(NOISY) == 66


@pytest.mark.parametrize("quiet", [QUIET, NOISY._replace(skills=("b",))])
def test_a_lane_is_light_while_others_wait_for_more(quiet: Lane) -> None:
    queue: FairQueue[str] = FairQueue()
    assert not queue.is_light(NOISY)
    for _ in range(3):
        queue.push(NOISY, "noise", 6)
        assert not queue.is_light(NOISY)
        assert queue.is_light(quiet)
    queue.push(quiet, "quiet", 12)
    assert queue.is_light(quiet)
    queue.push(quiet, "quiet", 12)
    assert not queue.is_light(quiet)
    assert queue.is_light(NOISY)


def test_lanes_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.push(NOISY, "noise", 1)
    for number in range(3 * DEBTS):
        queue.push(NOISY, "noise", 1)
        queue.push(Lane(f"caller {number}"), "once", 1)
        popped(queue, 2)
    assert len(queue._turns._ends) <= DEBTS + 2
    queue.pop()
    assert not queue._turns._ends
