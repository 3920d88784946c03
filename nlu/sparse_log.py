"""Warnings of what fails again and again: once a minute for each reason, not once for each try."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

INTERVAL = 60.0  # s


class SparseLog:
    """Writes a warning to `logger`, unless it wrote one for the same reason within the last minute."""

    def __init__(self, logger: logging.Logger, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._last: dict[str, tuple[float, int]] = {}  # when, and how many were kept back since

    def warning(self, reason: str, message: str, *arguments: object) -> None:
        """Write the message, or count it."""
        now = self._clock()
        when, kept_back = self._last.get(reason, (now - INTERVAL, 0))
        if now - when < INTERVAL:
            self._last[reason] = (when, kept_back + 1)
            return
        self._last[reason] = (now, 0)
        more = f"; {kept_back} more since the last such line" if kept_back else ""
        self._logger.warning(f"{message}%s", *arguments, more)
