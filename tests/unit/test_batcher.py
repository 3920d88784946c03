from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import Any, TypeAlias

import numpy as np
import pytest

from nlu.batcher import Batcher, Processed
from nlu.engine import Engine
from nlu.engine.base import Mask
from nlu.fair_queue import Lane
from nlu.prompt import Floats, Prompt, Row
from nlu.shape import EncoderShape
from skills.errors import InputError, NotReadyError, OverloadedError

Encoded: TypeAlias = Processed[Floats]
EncoderBatcher: TypeAlias = Batcher[Row, Floats]

SECONDS = 30.0  # a test that waits for longer has failed
SHAPE = EncoderShape(
    vocab_size=50,
    d_model=4,
    d_kv=2,
    d_ff=8,
    num_layers=2,
    num_heads=2,
    num_buckets=4,
    max_distance=8,
    epsilon=1e-6,
)


class GatedEngine(Engine):
    """Gives each token's embedding back; a batch waits until the gate is open. Token 0 makes it fail."""

    name = "gated"

    def __init__(self) -> None:
        super().__init__(SHAPE, np.arange(200, dtype=np.float32).reshape(50, 4))
        self.batches: list[list[tuple[int, ...]]] = []
        self.busy = threading.Event()
        self.gate = threading.Event()

    def encode(self, rows: Sequence[Row]) -> list[Floats]:
        self.batches.append([row.token_ids for row in rows])
        self.busy.set()
        assert self.gate.wait(SECONDS)
        if any(0 in row.token_ids for row in rows):
            raise RuntimeError("a bad row")
        return super().encode(rows)

    def prepare(self, *, adapted: bool) -> None:
        pass

    def _trunk(self, embeddings: Floats, mask: Mask) -> Floats:
        return embeddings

    def _top(
        self, hidden: Floats, mask: Mask, prompt: Floats | None, prompt_mask: Mask | None, *, adapted: bool
    ) -> Floats:
        return hidden


@pytest.fixture
def engine() -> GatedEngine:
    return GatedEngine()


@pytest.fixture
def make_batcher(engine: GatedEngine) -> Iterator[Callable[..., EncoderBatcher]]:
    made: list[EncoderBatcher] = []

    def make(**settings: Any) -> EncoderBatcher:
        made.append(Batcher(engine.encode, **settings))
        return made[-1]

    yield make
    engine.gate.set()
    for batcher in made:
        batcher.close()


def row(*token_ids: int) -> Row:
    return Row(token_ids, Prompt())


def occupy(batcher: EncoderBatcher, engine: GatedEngine) -> Future[Encoded]:
    """Put one row into the engine and leave it there, so that what follows has to queue."""
    first = batcher.submit([row(1)])[0]
    assert engine.busy.wait(SECONDS)
    return first


def results(futures: Sequence[Future[Encoded]]) -> list[Encoded]:
    _, late = wait(futures, SECONDS)
    assert not late
    return [future.result() for future in futures]


def test_each_row_gets_its_own_states(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher()
    engine.gate.set()

    encoded = results(batcher.submit([row(2, 3), row(4)]))

    np.testing.assert_array_equal(encoded[0].output, [[8, 9, 10, 11], [12, 13, 14, 15]])
    np.testing.assert_array_equal(encoded[1].output, [[16, 17, 18, 19]])


def test_rows_that_arrive_while_the_engine_is_busy_share_the_next_batch(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher()
    first = occupy(batcher, engine)
    later = [batcher.submit([row(token)])[0] for token in (2, 3, 4)]

    engine.gate.set()

    assert [encoded.batch_rows for encoded in results([first, *later])] == [1, 3, 3, 3]
    assert engine.batches == [[(1,)], [(2,), (3,), (4,)]]


@pytest.mark.parametrize(
    ("lengths", "batches"),
    [
        ([5, 5, 5, 5, 5], [4, 1]),
        ([10, 5, 5], [2, 1]),  # padded: two rows of 10
        ([5, 5, 10], [2, 1]),  # a long row would make the short ones dear
        ([50, 2], [1, 1]),  # longer than the budget, so alone
    ],
)
def test_a_batch_holds_at_most_the_budget_of_padded_tokens(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine, lengths: list[int], batches: list[int]
) -> None:
    batcher = make_batcher(batch_tokens=20)
    occupy(batcher, engine)
    futures = batcher.submit([row(*[2] * length) for length in lengths])

    engine.gate.set()

    results(futures)
    assert [len(batch) for batch in engine.batches[1:]] == batches


def test_a_cancelled_row_never_reaches_the_engine(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher()
    occupy(batcher, engine)
    gone, stays = batcher.submit([row(2), row(3)])

    assert gone.cancel()
    engine.gate.set()

    results([stays])
    assert engine.batches[1:] == [[(3,)]]


def test_a_row_whose_deadline_passed_in_the_queue_fails_and_never_reaches_the_engine(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher()
    occupy(batcher, engine)
    late = batcher.submit([row(2)], deadline=time.monotonic())[0]
    early = batcher.submit([row(3)], deadline=time.monotonic() + SECONDS)[0]

    engine.gate.set()

    with pytest.raises(TimeoutError):
        late.result(SECONDS)
    results([early])
    assert engine.batches[1:] == [[(3,)]]


def test_a_row_that_is_both_late_and_cancelled_does_no_harm(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher()
    occupy(batcher, engine)
    batcher.submit([row(2)], deadline=time.monotonic())[0].cancel()
    after = batcher.submit([row(3)])

    engine.gate.set()

    results(after)


def test_a_full_queue_refuses_rows_that_belong_together_as_a_whole(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher(queue_rows=2)
    occupy(batcher, engine)
    accepted = batcher.submit([row(2)])

    with pytest.raises(OverloadedError, match="1 rows wait of at most 2") as caught:
        batcher.submit([row(3), row(4)])
    accepted += batcher.submit([row(5)])
    engine.gate.set()

    assert caught.value.retry_after > 0
    results(accepted)
    assert engine.batches[1:] == [[(2,), (5,)]]


NOISY, QUIET = Lane("noisy", ("a",)), Lane("quiet", ("a",))
TIGHT = 0.005  # seconds of work ahead: five tokens, at what one is thought to take at first


@pytest.mark.parametrize("quiet", [QUIET, NOISY._replace(skills=("b",))])
def test_a_noisy_lane_is_refused_while_a_quiet_one_is_let_in_and_goes_first(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine, quiet: Lane
) -> None:
    batcher = make_batcher(batch_tokens=4, queue_seconds=TIGHT)
    occupy(batcher, engine)
    futures = [batcher.submit([row(2, 2)], lane=NOISY)[0] for _ in range(3)]

    with pytest.raises(OverloadedError, match=r"0\.006 s of work are ahead, at most 0\.005") as caught:
        batcher.submit([row(2, 2)], lane=NOISY)
    futures += batcher.submit([row(3, 3)], lane=quiet)
    engine.gate.set()

    assert caught.value.retry_after > 0
    results(futures)
    assert (3, 3) in engine.batches[1]
    assert engine.batches[2:] == [[(2, 2), (2, 2)]]


def test_what_is_bulk_waits_where_a_user_is_refused_and_in_a_lane_of_its_own(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher(batch_tokens=2, queue_seconds=TIGHT)
    occupy(batcher, engine)
    bulk = [batcher.submit([row(2, 2)], lane=NOISY._replace(bulk=True))[0] for _ in range(10)]
    turn = batcher.submit([row(3, 3)], lane=NOISY)
    engine.gate.set()

    results([*bulk, *turn])
    assert [(3, 3)] in engine.batches[1:3]


def test_callers_who_wait_share_the_rows_of_the_queue(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher(queue_rows=4)
    occupy(batcher, engine)
    noisy, quiet = NOISY._replace(bulk=True), QUIET._replace(bulk=True)
    futures = batcher.submit([row(2)] * 3, lane=noisy)
    futures += batcher.submit([row(3)] * 2, lane=quiet)

    for lane, rows in ((noisy, 3), (quiet, 2)):
        with pytest.raises(OverloadedError, match=f"{rows} rows wait of at most 4 for 2 callers"):
            batcher.submit([row(4)], lane=lane)
    engine.gate.set()
    results(futures)


def test_a_deadline_that_would_pass_in_the_queue_is_told_at_once(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher(clock=lambda: 100.0, queue_seconds=SECONDS)
    occupy(batcher, engine)  # one token, 1 ms
    futures = batcher.submit([row(*[2] * 20)])

    with pytest.raises(OverloadedError, match=r"the deadline is in 0\.010 s, but 0\.021 s of work") as caught:
        batcher.submit([row(3)], deadline=100.01)
    futures += batcher.submit([row(4)], deadline=100.03)
    engine.gate.set()

    assert caught.value.retry_after >= 0.021
    results(futures)


def test_rows_that_belong_together_share_a_batch_though_others_wait(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher(batch_tokens=3)
    occupy(batcher, engine)
    futures = [batcher.submit([row(token)] * 3, lane=Lane(str(token)))[0] for token in (2, 3, 4)]
    engine.gate.set()

    results(futures)
    assert engine.batches[1:] == [[(token,)] * 3 for token in (2, 3, 4)]


def test_more_rows_than_the_queue_can_ever_hold_are_the_callers_fault(
    make_batcher: Callable[..., EncoderBatcher],
) -> None:
    with pytest.raises(InputError, match="3 skills") as caught:
        make_batcher(queue_rows=2).submit([row(1), row(2), row(3)])
    assert caught.value.field == "skills"


def test_a_warm_up_gets_into_a_full_queue(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher(queue_rows=1)
    occupy(batcher, engine)
    batcher.submit([row(2)])

    warm_up = batcher.submit([row(3)], bounded=False)
    engine.gate.set()

    results(warm_up)


def test_a_batch_that_fails_tells_its_callers_and_the_next_one_runs(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher()
    engine.gate.set()

    with pytest.raises(RuntimeError, match="a bad row"):
        batcher.submit([row(0)])[0].result(SECONDS)

    results(batcher.submit([row(1)]))


def test_closing_answers_what_was_accepted_and_refuses_more(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher(batch_tokens=1)
    futures = [occupy(batcher, engine), *batcher.submit([row(2), row(3)])]

    closing = threading.Thread(target=batcher.close)
    closing.start()
    engine.gate.set()
    closing.join(SECONDS)

    assert all(future.done() for future in futures)
    assert engine.batches == [[(1,)], [(2,)], [(3,)]]
    with pytest.raises(NotReadyError):
        batcher.submit([row(4)])


def test_a_batcher_is_idle_until_a_row_has_to_wait(
    make_batcher: Callable[..., EncoderBatcher], engine: GatedEngine
) -> None:
    batcher = make_batcher()
    first = occupy(batcher, engine)
    assert batcher.is_idle
    second = batcher.submit([row(2)])[0]
    assert not batcher.is_idle
    engine.gate.set()
    results([first, second])
    assert batcher.is_idle
