"""Servers that share ports, each with an engine of its own; one that dies gets a successor."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import wait

from nlu.compute import available_cpus
from nlu.grouped_server import GroupedServer, Work
from nlu.port import reserved
from nlu.server_settings import ServerSettings
from nlu.stop_signal import StopSignal

RESTART_SECONDS = 0.5  # after a death; twice as long after each one that follows
LONGEST_RESTART_SECONDS = 30.0
SOUND_SECONDS = 60.0  # who has answered for so long did not die of the start

logger = logging.getLogger(__name__)


@dataclass
class _Place:
    """Where a server is, or the next one will be from `due` on, in `time.monotonic()` seconds."""

    number: int
    cpus: frozenset[int]
    server: GroupedServer | None = None
    due: float = 0.0
    delay: float = RESTART_SECONDS


class ServerGroup:
    """Keeps `settings.workers` servers running; loads no model itself.

    The first one starts alone, so that what it converts and compiles is there for the others, and what
    is wrong is told once.
    """

    def __init__(self, settings: ServerSettings, work: Work) -> None:
        self._work = work
        cpus = divided_cpus(settings.workers, settings.threads)
        if not any(cpus) and not settings.threads:
            settings = replace(settings, threads=max(1, available_cpus() // settings.workers))
        self._settings = settings
        self._places = [_Place(number, each) for number, each in enumerate(cpus, 1)]
        self._told = False

    def run(self, stop: StopSignal, ready: Callable[[Sequence[str]], None]) -> int:
        """Serve until the signal comes, and return the exit code: 0, or that of a server that failed.

        Args:
            stop: servers get SIGTERM then, and answer what is in flight.
            ready: called with the addresses once all servers answer.

        Raises:
            InputError: an address cannot be listened on.
        """
        with self._ports() as (settings, metrics):
            try:
                while not stop.came:
                    self._start(settings)
                    signs = [sign for server in self._servers() for sign in server.signs()]
                    wait([stop.fileno(), *signs], timeout=self._pause())
                    if code := self._look():
                        return code
                    if not self._told and self._ready == len(self._places):
                        self._told = True
                        addresses = next(self._servers()).addresses
                        ready([*addresses[: len(addresses) - len(metrics)], *metrics])
            finally:
                stopped = self._stop()
        return stopped

    def pages(self) -> Iterator[tuple[str, str]]:
        """Yield the number of each server that answers, and what it tells Prometheus; in any thread."""
        for place in self._places:
            server = place.server
            if server is not None and server.is_ready:
                yield str(place.number), server.page()

    @property
    def _ready(self) -> int:
        return sum(server.is_ready for server in self._servers())

    def _servers(self) -> Iterator[GroupedServer]:
        return (place.server for place in self._places if place.server is not None)

    @contextmanager
    def _ports(self) -> Iterator[tuple[ServerSettings, Sequence[str]]]:
        """Take the ports; yields the settings of each server, and where metrics are."""
        settings = self._settings
        with ExitStack() as stack:
            address = stack.enter_context(reserved(settings.address, field="address"))
            http = settings.http and stack.enter_context(reserved(settings.http, field="http"))
            metrics = []
            if settings.metrics:
                from nlu.group_metrics import serving_group_metrics

                metrics.append(stack.enter_context(serving_group_metrics(self.pages, settings)))
            yield replace(settings, address=address, http=http), metrics

    def _start(self, settings: ServerSettings) -> None:
        """Start the servers that are due."""
        for place in self._places:
            if place.server is None and place.due <= time.monotonic() and self._may_start():
                name = f"server {place.number}"
                place.server = GroupedServer(self._work, settings, name=name, cpus=place.cpus)

    def _may_start(self) -> bool:
        """Whether another server can be started: one that starts while none answers does so alone."""
        return self._ready > 0 or not any(self._servers())

    def _pause(self) -> float | None:
        """Return how many seconds there is nothing to do if nothing happens; None for ever."""
        dues = [place.due for place in self._places if place.server is None]
        return max(0.0, min(dues) - time.monotonic()) if dues and self._may_start() else None

    def _look(self) -> int:
        """See who has got ready and who has ended; returns an exit code if it is in vain to go on, or 0."""
        for place in self._places:
            if place.server is None:
                continue
            place.server.hear()
            if not place.server.has_ended:
                continue
            server, place.server = place.server, None
            code = server.join()
            if not server.is_ready and not self._ready:
                return code if code > 0 else 1
            if time.monotonic() - server.ready_at > SOUND_SECONDS:
                place.delay = RESTART_SECONDS
            logger.error("%s ended with %d, the next starts in %g s", server.name, code, place.delay)
            place.due = time.monotonic() + place.delay
            place.delay = min(2 * place.delay, LONGEST_RESTART_SECONDS)
        return 0

    def _stop(self) -> int:
        """End all servers, and return the exit code."""
        servers = list(self._servers())
        for server in servers:
            server.stop()
        codes = [server.join() for server in servers]
        return int(any(code for server, code in zip(servers, codes, strict=True) if server.is_ready))


def divided_cpus(servers: int, threads: int = 0) -> list[frozenset[int]]:
    """Return the CPUs of each server, so that none computes on another's; empty where they cannot be told.

    With `threads` that are more than a server's part of the CPUs, or a quota instead of CPUs of one's own,
    the kernel does better.
    """
    if not hasattr(os, "sched_setaffinity"):
        return [frozenset()] * servers
    cpus = sorted(os.sched_getaffinity(0))
    each = len(cpus) // servers
    if each < max(1, threads) or available_cpus() < len(cpus):
        return [frozenset()] * servers
    return [frozenset(cpus[start : start + each]) for start in range(0, servers * each, each)]
