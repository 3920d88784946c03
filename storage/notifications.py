"""News of changes: on PostgreSQL every change sends a notification; elsewhere who wants to know must look."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from skills.errors import CatalogError
from storage.change import CHANNEL
from storage.database import Database

if TYPE_CHECKING:
    import psycopg

LOOK_SECONDS = 0.2  # how long the end of listening may take
RETRY_SECONDS = 1.0  # after the connection was lost

logger = logging.getLogger(__name__)


class Listener:
    """A thread that calls `on_change` after every change, and whenever it may have missed one.

    A lost connection is logged and made again; until then nothing is told.
    """

    def __init__(self, database: Database, on_change: Callable[[], object]) -> None:
        self._database = database
        self._on_change = on_change
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="catalog listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; `on_change` is not called any more."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        import psycopg  # a tenth of the start of a command that works on SQLite

        while not self._closing.is_set():
            try:
                with self._database.own_connection() as connection:
                    self._listen(connection)
            except (CatalogError, psycopg.Error) as error:
                logger.warning("no news of the catalog, looking again in %g s: %s", RETRY_SECONDS, error)
                self._closing.wait(RETRY_SECONDS)

    def _listen(self, connection: psycopg.Connection) -> None:
        connection.execute(f"LISTEN {CHANNEL}")
        self._on_change()
        while not self._closing.is_set():
            for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                self._on_change()
