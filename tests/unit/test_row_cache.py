from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Event

import numpy as np
import pytest

from nlu.batcher import Batcher, Processed
from nlu.prompt import Floats
from nlu.row_cache import ENTRY, Key, RowCache

SECONDS = 30.0
NBYTES = 4 * 8  # of what `Engine` makes of a row


@dataclass(frozen=True)
class Item:
    number: int
    length: int = 1


class Engine:
    """Gives each row a view into an array of the whole batch; number 0 makes it fail."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def process(self, rows: Sequence[Item]) -> list[Floats]:
        self.asked += [row.number for row in rows]
        batch = np.stack([np.full(8, row.number, np.float32) for row in rows])
        if 0 in batch:
            raise RuntimeError("a bad row")
        return list(batch)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def batcher(engine: Engine) -> Iterator[Batcher[Item, Floats]]:
    batcher = Batcher(engine.process)
    yield batcher
    batcher.close()


def make_cache(batcher: Batcher[Item, Floats], entries: int = 10) -> RowCache[Item, Floats]:
    return RowCache(batcher, lambda output: output.nbytes, entries * (ENTRY + NBYTES))


def key(number: int, version: str = "v") -> Key:
    return version, "backbone", (number,)


def ask(cache: RowCache[Item, Floats], *numbers: int, version: str = "v") -> list[int]:
    """The rows in the batches that answered; 0 for one that was remembered."""
    futures = cache.submit([(key(number, version), Item(number)) for number in numbers])
    answers = [_settled(future) for future in futures]
    assert [int(answer.output[0]) for answer in answers] == list(numbers)
    return [answer.batch_rows for answer in answers]


def _settled(future: Future[Processed[Floats]]) -> Processed[Floats]:
    """The result, when all that waited for it know."""
    known = Event()
    future.add_done_callback(lambda _: known.set())
    assert known.wait(SECONDS)
    return future.result()


def test_a_row_is_computed_once(batcher: Batcher[Item, Floats], engine: Engine) -> None:
    cache = make_cache(batcher)

    assert ask(cache, 1, 2) == [2, 2]
    assert ask(cache, 2, 3, 1) == [0, 1, 0]
    assert engine.asked == [1, 2, 3]
    assert (cache.hits, cache.misses) == (2, 3)


def test_versions_do_not_share(batcher: Batcher[Item, Floats], engine: Engine) -> None:
    cache = make_cache(batcher)
    ask(cache, 1)

    assert ask(cache, 1, version="w") == [1]
    assert engine.asked == [1, 1]


def test_a_row_without_a_key_is_computed_each_time(batcher: Batcher[Item, Floats], engine: Engine) -> None:
    cache = make_cache(batcher)

    for _ in range(2):
        [future] = cache.submit([(None, Item(1))])
        assert future.result(SECONDS).batch_rows == 1
    assert engine.asked == [1, 1] and cache.bytes == 0 and cache.hits == cache.misses == 0


def test_what_was_used_last_stays_within_the_budget(batcher: Batcher[Item, Floats]) -> None:
    cache = make_cache(batcher, entries=2)
    ask(cache, 1)
    ask(cache, 2)
    ask(cache, 1)
    ask(cache, 3)

    assert ask(cache, 1, 3) == [0, 0]
    assert ask(cache, 2) == [1]
    assert cache.bytes == 2 * (ENTRY + NBYTES)


@pytest.mark.parametrize("budget", [0, ENTRY])
def test_what_is_larger_than_the_budget_is_not_kept(batcher: Batcher[Item, Floats], budget: int) -> None:
    cache = RowCache(batcher, lambda output: output.nbytes, budget)

    assert ask(cache, 1) == ask(cache, 1) == [1]
    assert cache.bytes == 0


def test_what_is_kept_does_not_hold_its_batch(batcher: Batcher[Item, Floats]) -> None:
    cache = make_cache(batcher)
    ask(cache, 1, 2)

    [future] = cache.submit([(key(1), Item(1))])
    assert future.result(SECONDS).output.base is None


def test_versions_that_are_gone_are_forgotten(batcher: Batcher[Item, Floats]) -> None:
    cache = make_cache(batcher)
    ask(cache, 1, version="old")
    ask(cache, 1, version="new")

    cache.keep({"new"})

    assert cache.bytes == ENTRY + NBYTES
    assert ask(cache, 1, version="new") == [0]
    assert ask(cache, 1, version="old") == [1]


def test_a_failure_is_not_remembered(batcher: Batcher[Item, Floats], engine: Engine) -> None:
    cache = make_cache(batcher)

    for _ in range(2):
        [future] = cache.submit([(key(0), Item(0))])
        with pytest.raises(RuntimeError, match="a bad row"):
            future.result(SECONDS)
    assert engine.asked == [0, 0] and cache.bytes == 0
