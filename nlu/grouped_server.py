"""One server of a group, as the group sees it: a process, and the pipe to it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context

from nlu.group_pipe import GroupEnd, ServerEnd
from nlu.server_settings import ServerSettings

Work = Callable[[ServerSettings, ServerEnd], None]  # must be importable: it runs in a process of its own


class GroupedServer:
    """Starts a process that calls `work`; `cpus` are those that it may use, none for any."""

    def __init__(self, work: Work, settings: ServerSettings, *, name: str, cpus: frozenset[int]) -> None:
        context = get_context("spawn")  # a fork would share what must be each server's own
        ours, theirs = context.Pipe()
        self._end = GroupEnd(ours)
        self._process = context.Process(
            target=work, args=(settings, ServerEnd(theirs)), name=name, daemon=True
        )
        with _using(cpus):
            self._process.start()
        theirs.close()
        self.addresses: Sequence[str] = ()  # at which it answers, once it does
        self.ready_at = float("inf")  # in `time.monotonic()` seconds

    @property
    def name(self) -> str:
        """What the log calls it."""
        return self._process.name

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it answers."""
        return bool(self.addresses)

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.exitcode is not None

    def signs(self) -> Iterator[int]:
        """Yield what becomes readable when it ends, or gets ready."""
        yield self._process.sentinel
        if not self.is_ready:
            yield self._end.fileno()

    def hear(self) -> None:
        """Take note if it has got ready."""
        if not self.is_ready and (addresses := self._end.addresses()):
            self.addresses, self.ready_at = addresses, time.monotonic()

    def page(self) -> str:
        """Return its metrics; empty if it is gone, or does not answer in time. Safe in any thread."""
        return self._end.page()

    def stop(self) -> None:
        """Ask it to answer what is in flight, and to end."""
        self._process.terminate()

    def join(self) -> int:
        """Wait for its end, and return the exit code, which is minus the number of a signal that ended it."""
        self._process.join()
        self._end.close()
        return self._process.exitcode or 0


@contextmanager
def _using(cpus: frozenset[int]) -> Iterator[None]:
    """Let processes that are started meanwhile use these CPUs alone, from their first import on."""
    if not cpus:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
