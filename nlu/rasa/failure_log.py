"""Tells the log why there is no answer: once a minute for each reason, not once for each message."""

from __future__ import annotations

import logging
import time
from typing import Callable

from nlu.client_errors import ClientError

INTERVAL = 60.0  # s

logger = logging.getLogger(__name__)


class FailureLog:
    """Writes a warning, unless one of the same kind was written within the last minute."""

    def __init__(self, address: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._clock = clock
        self._last: dict[type[ClientError], tuple[float, int]] = {}  # when, and how many were kept back since

    def write(self, error: ClientError) -> None:
        """Write about `error`, or count it."""
        now, kind = self._clock(), type(error)
        when, kept_back = self._last.get(kind, (now - INTERVAL, 0))
        if now - when < INTERVAL:
            self._last[kind] = (when, kept_back + 1)
            return
        self._last[kind] = (now, 0)
        more = f"; {kept_back} more since the last such line" if kept_back else ""
        logger.warning("softspoken at %s: %s: %s%s", self._address, kind.__name__, error, more)
