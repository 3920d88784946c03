"""Asks a service no more that has failed several times, until it answers again."""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable

FAILURES = 3  # in a row; one slow answer is no outage
PAUSE = 0.25  # s between probes: a user who tries again within a second is heard

logger = logging.getLogger(__name__)


class Breaker:
    """Counts failures in a row; at the third it opens, and a thread probes the service until it answers.

    Users' messages are no probes: while it is open, none of them waits. `probe` says whether the service
    answered, and is called from the thread.
    """

    def __init__(self, probe: Callable[[], bool], *, pause: float = PAUSE) -> None:
        self._probe = probe
        self._pause = pause
        self._lock = threading.Lock()
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether the service is not to be asked."""
        return self._failures >= FAILURES

    def answered(self) -> None:
        """Take note of an answer."""
        with self._lock:
            if not self.is_open:  # the thread closes it
                self._failures = 0

    def failed(self) -> None:
        """Take note of a call without an answer."""
        with self._lock:
            if self.is_open:
                return
            self._failures += 1
            if self.is_open:
                threading.Thread(target=self._watch, name="softspoken-probe", daemon=True).start()

    def _watch(self) -> None:
        while not self._probe():
            time.sleep(self._pause)
        with self._lock:
            self._failures = 0
        logger.info("softspoken answers again")
