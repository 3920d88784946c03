"""The queue of training jobs as it was last read: whoever asks for metrics need not wait for the catalog."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from skills.errors import CatalogError
from skills.job import JobState
from storage.job_statistics import JobStatistics
from storage.jobs import JobQueue

SECONDS = 15.0  # between two looks: as often as Prometheus usually reads

logger = logging.getLogger(__name__)


class JobWatch:
    """Reads the queue every so often, and tells of the jobs that have ended since the first time."""

    def __init__(self, jobs: JobQueue, tell: Callable[[JobState, float], object]) -> None:
        self._jobs = jobs
        self._tell = tell
        self.last: JobStatistics | None = None

    def look(self) -> None:
        """Read the queue; blocking.

        Raises:
            CatalogError: it cannot be read; what was last read stays.
        """
        before = self.last
        self.last = self._jobs.statistics(None if before is None else before.at)
        for job in self.last.ended - (self.last if before is None else before).ended:
            self._tell(job.state, job.seconds)

    async def follow(self, seconds: float = SECONDS) -> None:
        """Look until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except CatalogError as error:  # the registry's poll warns of that, too
                logger.debug("jobs not read: %s", error)
            await asyncio.sleep(seconds)
