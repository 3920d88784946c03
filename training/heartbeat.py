"""The sign of life of a worker that has a job."""

from __future__ import annotations

import logging
import math
import threading
import time
from types import TracebackType
from typing import Self

from skills.errors import CatalogError, InputError, LeaseLostError
from skills.job import JobProgress, Lease
from storage.jobs import JobQueue

LONGEST_INTERVAL = 5.0  # seconds between two beats; progress and cancellation are as slow

logger = logging.getLogger(__name__)


class Heartbeat:
    """Renews a lease from a thread of its own while it is entered, whatever the training is busy with.

    A catalog that cannot be reached is tried again until the lease would have run out.
    """

    def __init__(self, jobs: JobQueue, lease: Lease, lease_seconds: float) -> None:
        self._jobs = jobs
        self._lease = lease
        self._lease_seconds = lease_seconds
        self._renewed_at = time.monotonic()
        self._progress = lease.job.progress  # of the attempt before, until there is another
        self._lost: LeaseLostError | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join()

    def report(self, progress: JobProgress) -> None:
        """Take note of the latest progress; call it after every step.

        Raises:
            LeaseLostError: the job was cancelled or taken over, or the catalog was away for too long.
            InputError: the loss is no number any more.
        """
        if not math.isfinite(progress.loss):
            raise InputError(
                f"the loss is {progress.loss} at step {progress.step}: lower prompt_rate or head_rate",
                field="config",
            )
        self._progress = progress
        self._check()

    def beat(self) -> None:
        """Renew the lease now.

        Raises:
            LeaseLostError: as `report`.
        """
        self._renew()
        self._check()

    def _check(self) -> None:
        if self._lost is not None:
            raise self._lost

    def _beat_on(self) -> None:
        interval = min(LONGEST_INTERVAL, self._lease_seconds / 4)
        while self._lost is None and not self._left.wait(interval):
            self._renew()

    def _renew(self) -> None:
        began = time.monotonic()
        try:
            self._jobs.heartbeat(self._lease, self._progress, lease_seconds=self._lease_seconds)
            self._renewed_at = began
        except LeaseLostError as error:
            self._lost = error
        except CatalogError as error:
            logger.warning("no heartbeat of job %d: %s", self._lease.job.id, error)
            if time.monotonic() - self._renewed_at > self._lease_seconds:
                self._lost = LeaseLostError(
                    f"job {self._lease.job.id} ran out of its lease of {self._lease_seconds:g} s: {error}"
                )
