"""What the encoder and the decoder made of texts that come again, such as "yes": they are not asked twice.

A skill's answer is computed anew from it, so that dates, exemplars and options of the request count as ever.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Generic

from cachetools import LRUCache

from nlu.batcher import Batcher, OutputT, Processed, RowT
from nlu.fair_queue import OWN, Lane

ROW_CACHE = 32 << 20  # bytes: some 2,000 rows of a dozen tokens
ENTRY = 500  # bytes of a key and its place, about

Key = tuple[str, str, tuple[int, ...]]  # hashes of a version's tensors and backbone, and a text's tokens


class RowCache(Generic[RowT, OutputT]):
    """A batcher that remembers, within a budget of bytes; what was used last stays.

    Safe to share between threads. An output does not depend on who shared its batch, so it is the same as a
    new one would be, to the last bit.
    """

    def __init__(
        self, batcher: Batcher[RowT, OutputT], size: Callable[[OutputT], int], budget: int = ROW_CACHE
    ) -> None:
        self._batcher = batcher
        self._outputs: LRUCache[Key, OutputT] = LRUCache(budget, lambda output: ENTRY + size(output))
        self._lock = threading.Lock()
        self.hits = 0
        self.misses = 0

    @property
    def is_idle(self) -> bool:
        """Whether no row waits."""
        return self._batcher.is_idle

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        return self._batcher.waiting

    @property
    def bytes(self) -> int:
        """The memory that it takes."""
        return int(self._outputs.currsize)

    def submit(
        self,
        keyed: Sequence[tuple[Key | None, RowT]],
        *,
        lane: Lane = OWN,
        deadline: float | None = None,
    ) -> list[Future[Processed[OutputT]]]:
        """Queue the rows that are not remembered, as `Batcher.submit`; a row without a key never is."""
        known = [self._get(key) for key, _ in keyed]
        rows = [row for (_, row), output in zip(keyed, known, strict=True) if output is None]
        queued = iter(self._batcher.submit(rows, lane=lane, deadline=deadline) if rows else ())
        futures = []
        for (key, _), output in zip(keyed, known, strict=True):
            if output is not None:
                futures.append(_remembered(output))
                continue
            future = next(queued)
            if key is not None:
                future.add_done_callback(partial(self._put, key))
            futures.append(future)
        return futures

    def keep(self, versions: Collection[str]) -> None:
        """Forget what other versions than those of these hashes have read."""
        with self._lock:
            for key in [key for key in self._outputs if key[0] not in versions]:
                del self._outputs[key]

    def _get(self, key: Key | None) -> OutputT | None:
        if key is None:
            return None
        with self._lock:
            output = self._outputs.get(key)
            self.hits += output is not None
            self.misses += output is None
            return output

    def _put(self, key: Key, future: Future[Processed[OutputT]]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        output = copy.copy(future.result().output)  # not a view into the whole batch
        with self._lock:
            if self._outputs.getsizeof(output) <= self._outputs.maxsize:
                self._outputs[key] = output


def _remembered(output: OutputT) -> Future[Processed[OutputT]]:
    future: Future[Processed[OutputT]] = Future()
    future.set_result(Processed(output, time.monotonic(), 0.0, 0.0, 0))
    return future
