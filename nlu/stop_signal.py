"""That a process whose work is done by others is asked to stop."""

from __future__ import annotations

import os
import signal
from types import FrameType


class StopSignal:
    """The first SIGTERM or SIGINT; a second one ends the process at once."""

    def __init__(self) -> None:
        self.came = False
        self._reading, self._writing = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def fileno(self) -> int:
        """Return what is readable once it came."""
        return self._reading

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.came = True
        os.write(self._writing, b"!")
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
