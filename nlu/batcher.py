"""The batcher: rows of all callers wait in one queue; one thread processes them.

There is no timer. The next batch forms when the thread is free, from what has arrived by then, up to a
budget of padded tokens. A row whose caller has gone or whose deadline has passed is dropped before that.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from skills.errors import InputError, NotReadyError, OverloadedError

BATCH_TOKENS = 2048  # padded tokens: above it, a batch only takes longer and no longer runs more efficiently
QUEUE_ROWS = 1024  # about two seconds of work on two cores: a caller behind more would have left


class Sized(Protocol):
    """A row with a length in tokens."""

    @property
    def length(self) -> int: ...


RowT = TypeVar("RowT", bound=Sized)
OutputT = TypeVar("OutputT")


@dataclass(frozen=True)
class Processed(Generic[OutputT]):
    """What became of one row, and how it travelled (seconds)."""

    output: OutputT
    queue_seconds: float
    seconds: float
    batch_rows: int


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[RowT, OutputT]):
    row: RowT
    deadline: float  # time.monotonic(), infinity for none
    arrived: float = field(default_factory=time.monotonic)
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
    ) -> None:
        self._process = process
        self._niceness = niceness
        self._batch_tokens = batch_tokens
        self._queue_rows = queue_rows
        self._queue: deque[_Waiting[RowT, OutputT]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._row_seconds = 0.01  # moving average of the time a row takes, for retry_after
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self, rows: Iterable[RowT], *, deadline: float | None = None, bounded: bool = True
    ) -> list[Future[Processed[OutputT]]]:
        """Queue rows that belong together, all or none.

        Args:
            rows: they keep their order, so rows of one utterance tend to share a batch and its trunk.
            deadline: in `time.monotonic()` seconds; a row still queued then fails with TimeoutError.
            bounded: False lets them in though the queue is full: a new skill must warm up under load, too.

        Raises:
            OverloadedError: the queue has no room for them now.
            InputError: it never has room for that many.
            NotReadyError: the batcher is closed.
        """
        at_most = float("inf") if deadline is None else deadline
        waiting: list[_Waiting[RowT, OutputT]] = [_Waiting(row, at_most) for row in rows]
        with self._changed:
            if self._closed:
                raise NotReadyError("the server is stopping: ask another one, or try again")
            if bounded:
                self._admit(len(waiting))
            self._queue.extend(waiting)
            self._changed.notify()
        return [item.future for item in waiting]

    @property
    def is_idle(self) -> bool:
        """Whether no row waits."""
        return not self._queue

    def close(self) -> None:
        """Refuse new rows, finish the queued ones, and stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _admit(self, rows: int) -> None:
        if rows > self._queue_rows:
            raise InputError(
                f"{rows} skills are asked, but the queue holds {self._queue_rows} rows: name fewer skills",
                field="skills",
            )
        if len(self._queue) + rows > self._queue_rows:
            retry_after = max(0.05, len(self._queue) * self._row_seconds)
            raise OverloadedError(
                f"the queue holds {len(self._queue)} of at most {self._queue_rows} rows; "
                f"try again in {retry_after:.2f} s",
                retry_after=retry_after,
            )

    def _run(self) -> None:
        if self._niceness:
            with suppress(AttributeError, OSError):  # of this thread alone, which only Linux can do
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)
        while batch := self._next_batch():
            start = time.monotonic()
            try:
                outputs = self._process([item.row for item in batch])
            except Exception as error:  # the thread must outlive a bad batch; its callers get the error
                for item in batch:
                    item.future.set_exception(error)
                continue
            seconds = time.monotonic() - start
            self._row_seconds += 0.1 * (seconds / len(batch) - self._row_seconds)
            for item, output in zip(batch, outputs, strict=True):
                item.future.set_result(Processed(output, start - item.arrived, seconds, len(batch)))

    def _next_batch(self) -> Sequence[_Waiting[RowT, OutputT]]:
        """Wait for rows and return the next batch; empty when closed and drained."""
        with self._changed:
            while True:
                batch = self._take()
                if batch or (self._closed and not self._queue):
                    return batch
                self._changed.wait()

    def _take(self) -> list[_Waiting[RowT, OutputT]]:
        batch: list[_Waiting[RowT, OutputT]] = []
        longest = 0
        while self._queue:
            item = self._queue[0]
            longer = max(longest, item.row.length)
            if batch and longer * (len(batch) + 1) > self._batch_tokens:
                break
            self._queue.popleft()
            if not item.future.set_running_or_notify_cancel():
                continue  # its caller has gone
            if item.deadline <= time.monotonic():
                item.future.set_exception(TimeoutError("the deadline passed while the row was queued"))
                continue
            batch.append(item)
            longest = longer
        return batch
