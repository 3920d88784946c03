"""The batcher: rows of all callers wait in one fair queue; one thread processes them.

There is no timer. The next batch forms when the thread is free, from what has arrived by then, up to a
budget of padded tokens. A row whose caller has gone or whose deadline has passed is dropped before that.

Rows that would have to wait for too long are refused before they wait (docs/overload.md).
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from nlu.fair_queue import OWN, FairQueue, Lane
from nlu.pace import Pace
from skills.errors import InputError, NotReadyError, OverloadedError

BATCH_TOKENS = 2048  # padded tokens: above it, a batch only takes longer and no longer runs more efficiently
QUEUE_ROWS = 1024  # about two seconds of work on two cores: a caller behind more would have left
LEAST_RETRY_SECONDS = 0.05  # after a refusal: what comes back sooner costs as much as it brings


class Sized(Protocol):
    """A row with a length in tokens."""

    @property
    def length(self) -> int: ...


RowT = TypeVar("RowT", bound=Sized)
OutputT = TypeVar("OutputT")


@dataclass(frozen=True)
class Processed(Generic[OutputT]):
    """What became of one row, and how it travelled (seconds); it was begun at `time.monotonic()` seconds."""

    output: OutputT
    began: float
    queue_seconds: float
    seconds: float
    batch_rows: int


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[RowT, OutputT]):
    row: RowT
    deadline: float  # time.monotonic(), infinity for none
    arrived: float
    future: Future[Processed[OutputT]] = field(default_factory=Future)


class Batcher(Generic[RowT, OutputT]):
    """Owns the one thread that calls `process`, such as an engine's `encode`.

    `submit` is safe from any thread; `close` finishes what was accepted. `niceness` is that of the thread.
    """

    def __init__(
        self,
        process: Callable[[Sequence[RowT]], Sequence[OutputT]],
        *,
        name: str = "engine",
        niceness: int = 0,
        batch_tokens: int = BATCH_TOKENS,
        queue_rows: int = QUEUE_ROWS,
        queue_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._process = process
        self._niceness = niceness
        self._batch_tokens = batch_tokens
        self._queue_rows = queue_rows
        self._clock = clock
        self._pace = Pace(queue_seconds)
        self._queue: FairQueue[list[_Waiting[RowT, OutputT]]] = FairQueue()
        self._held: Counter[str] = Counter()  # rows of each caller in the queue
        self._next: deque[_Waiting[RowT, OutputT]] = deque()  # rows that have left it, for the next batches
        self._changed = threading.Condition()
        self._closed = False
        self._resting = True  # the thread: there is nothing to do
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self,
        rows: Sequence[RowT],
        *,
        lane: Lane = OWN,
        deadline: float | None = None,
        bounded: bool = True,
    ) -> list[Future[Processed[OutputT]]]:
        """Queue rows that belong together, all or none.

        Args:
            rows: they leave the queue together, so rows of one utterance tend to share a batch and its trunk.
            lane: whose rows they are; a bulk lane's may wait for long.
            deadline: in `time.monotonic()` seconds; a row still queued then fails with TimeoutError.
            bounded: False lets them in though the queue is full: a new skill must warm up under load, too.

        Raises:
            OverloadedError: the queue has no room for them now, or the deadline would pass in it.
            InputError: it never has room for that many.
            NotReadyError: the batcher is closed.
        """
        at_most = float("inf") if deadline is None else deadline
        now = self._clock()
        waiting: list[_Waiting[RowT, OutputT]] = [_Waiting(row, at_most, now) for row in rows]
        with self._changed:
            if self._closed:
                raise NotReadyError("the server is stopping: ask another one, or try again")
            if self._resting:
                self._pace.paused(now)
            if bounded:
                self._admit(lane, len(waiting), at_most, now)
            self._held[lane.caller] += len(waiting)
            self._queue.push(lane, waiting, max(1, sum(row.length for row in rows)))
            self._changed.notify()
        return [item.future for item in waiting]

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        with self._changed:
            return self._held.total() + len(self._next)

    @property
    def is_idle(self) -> bool:
        """Whether no row waits."""
        return not self._queue and not self._next

    def close(self) -> None:
        """Refuse new rows, finish the queued ones, and stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _admit(self, lane: Lane, rows: int, deadline: float, now: float) -> None:
        if rows > self._queue_rows:
            raise InputError(
                f"{rows} skills are asked, but the queue holds {self._queue_rows} rows: name fewer skills",
                field="skills",
            )
        held = self._held[lane.caller]
        callers = self._queue.callers + (not held)
        ahead = self._pace.seconds(self._queue.ahead(lane))
        allowed = self._pace.allowed(now, light=self._queue.is_light(lane))
        wait = ahead + self._pace.rest(now)
        if callers * (held + rows) > self._queue_rows:
            refusal = f"{held} rows wait of at most {self._queue_rows} for {callers} callers"
        elif ahead > allowed and not lane.bulk:
            refusal = f"{ahead:.3f} s of work are ahead, at most {allowed:.3f} s may be"
        elif now < deadline < now + wait:
            refusal = f"the deadline is in {deadline - now:.3f} s, but {wait:.3f} s of work are ahead"
        else:
            return
        retry_after = max(LEAST_RETRY_SECONDS, wait)
        raise OverloadedError(f"{refusal}; try again in {retry_after:.2f} s", retry_after=retry_after)

    def _run(self) -> None:
        if self._niceness:
            with suppress(AttributeError, OSError):  # of this thread alone, which only Linux can do
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)
        while batch := self._next_batch():
            start, lengths = self._clock(), [item.row.length for item in batch]
            self._pace.begin(start, lengths)
            try:
                outputs = self._process([item.row for item in batch])
            except Exception as error:  # the thread must outlive a bad batch; its callers get the error
                for item in batch:
                    item.future.set_exception(error)
                continue
            seconds = self._clock() - start
            self._pace.end(seconds, lengths)
            for item, output in zip(batch, outputs, strict=True):
                item.future.set_result(Processed(output, start, start - item.arrived, seconds, len(batch)))

    def _next_batch(self) -> Sequence[_Waiting[RowT, OutputT]]:
        """Wait for rows and return the next batch; empty when closed and drained."""
        with self._changed:
            while True:
                batch = self._take()
                self._resting = not batch
                if batch or (self._closed and self.is_idle):
                    return batch
                self._changed.wait()

    def _take(self) -> list[_Waiting[RowT, OutputT]]:
        batch: list[_Waiting[RowT, OutputT]] = []
        longest = 0
        while item := self._first():
            longer = max(longest, item.row.length)
            if batch and longer * (len(batch) + 1) > self._batch_tokens:
                break
            self._next.popleft()
            if not item.future.set_running_or_notify_cancel():
                continue  # its caller has gone
            if item.deadline <= self._clock():
                item.future.set_exception(TimeoutError("the deadline passed while the row was queued"))
                continue
            batch.append(item)
            longest = longer
        return batch

    def _first(self) -> _Waiting[RowT, OutputT] | None:
        """Return the row that goes next, if there is one."""
        while not self._next and self._queue:
            lane, waiting = self._queue.pop()
            self._held[lane.caller] -= len(waiting)
            if not self._held[lane.caller]:
                del self._held[lane.caller]
            self._next.extend(waiting)
        return self._next[0] if self._next else None
