"""The worker: claims jobs, runs each in a process of its own, and outlives whatever becomes of them."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from nlu.sparse_log import SparseLog
from nlu.stop_signal import StopSignal
from skills.errors import CatalogError, LeaseLostError
from skills.job import Lease
from storage.catalog import Catalog
from training.job_process import JobSettings, run_in_process

PURGE_SECONDS = 3600.0
GRACE_SECONDS = 25.0  # for a step and a checkpoint, when the worker is told to stop

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Running:
    lease: Lease
    process: SpawnProcess


class Worker:
    """Runs jobs of a catalog, `settings.concurrency` at a time."""

    def __init__(self, catalog: Catalog, settings: JobSettings, *, poll_seconds: float = 2.0) -> None:
        self._catalog = catalog
        self._settings = settings
        self._poll_seconds = poll_seconds
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._running: list[_Running] = []
        self._purged_at = -math.inf
        self._log = SparseLog(logger)

    def run(self, stop: StopSignal, *, drain: bool = False, most: int | None = None) -> None:
        """Claim and run jobs until the signal comes; then jobs are given back with their checkpoints.

        With `drain`, only until no job is due; with `most`, at most so many.

        Raises:
            CatalogError: the catalog cannot be reached, while draining; otherwise it is waited for.
        """
        started = 0
        try:
            while not stop.came:
                self._reap()
                while len(self._running) < self._settings.concurrency and started != most:
                    if not self._start_next(patient=not drain):
                        break
                    started += 1
                if drain and not self._running:
                    return
                self._purge()
                ends = [running.process.sentinel for running in self._running]
                wait([stop.fileno(), *ends], timeout=self._poll_seconds)
        finally:
            self._stop()

    def _start_next(self, *, patient: bool) -> bool:
        """Start the next job that is due, if there is one."""
        try:
            lease = self._catalog.jobs.claim(self._name, lease_seconds=self._settings.lease_seconds)
        except CatalogError as error:
            if not patient:
                raise
            self._log.warning("claim", "no job can be claimed: %s", error)
            return False
        if lease is None:
            return False
        job = lease.job
        logger.info("job %d trains %s, attempt %d", job.id, job.request.skill, job.attempts)
        # A fork would inherit connections and locks.
        process = get_context("spawn").Process(
            target=run_in_process, args=(self._settings, lease), name=f"job {job.id}", daemon=True
        )
        try:
            process.start()
        except OSError as error:
            self._fail(lease, f"no process could be started ({error}): free some memory")
        else:
            self._running.append(_Running(lease, process))
        return True

    def _reap(self) -> None:
        """Take note of the processes that have ended, and let the jobs fail whose process died."""
        ended = [running for running in self._running if running.process.exitcode is not None]
        for running in ended:
            self._running.remove(running)
            if running.process.exitcode:
                self._fail(running.lease, how_it_died(running.process.exitcode))
            running.process.close()

    def _fail(self, lease: Lease, reason: str) -> None:
        logger.error("job %d: %s", lease.job.id, reason)
        self._tell(partial(self._catalog.jobs.fail, lease, reason, retry=True))

    def _tell(self, call: Callable[[], object]) -> None:
        """Tell the catalog; if that cannot be, the lease will run out, and another worker takes the job."""
        try:
            call()
        except LeaseLostError as error:
            logger.debug("%s", error)
        except CatalogError as error:
            self._log.warning("tell", "%s", error)

    def _purge(self) -> None:
        if time.monotonic() - self._purged_at > PURGE_SECONDS:
            self._purged_at = time.monotonic()
            self._tell(self._catalog.purge)

    def _stop(self) -> None:
        """Give all jobs back; a process that does not end in time is killed."""
        for running in self._running:
            running.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for running in self._running:
            running.process.join(max(0.0, deadline - time.monotonic()))
            if running.process.exitcode is None:
                running.process.kill()
                running.process.join()
            self._tell(partial(self._catalog.jobs.release, running.lease))


def how_it_died(exit_code: int) -> str:
    """Return in words how the process of a job ended."""
    if exit_code > 0:
        return f"the training's process ended with code {exit_code}; the worker's log has more"
    number = -exit_code
    name = {each.value: each.name for each in signal.Signals}.get(number, f"signal {number}")
    if number == signal.SIGKILL:
        return f"the training's process was killed ({name}), probably out of memory"
    return f"the training's process died of {name}"
