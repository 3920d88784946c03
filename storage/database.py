"""The connection to the catalog's database: engine, transactions, error translation.

The only module that knows which database it talks to. `sqlite:///FILE` and
`postgresql://USER:PASSWORD@HOST/NAME` (psycopg 3) are supported.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from skills.errors import CatalogError

if TYPE_CHECKING:
    import psycopg

WAIT = 5  # s for a lock or a connection; a write takes milliseconds, so longer means trouble
_WAL_RETRY = 0.01  # s
_MIGRATION_LOCK = 0x50F7_5B0C  # PostgreSQL advisory lock: any number, always the same
_WRITE = "softspoken_write"
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}
_CONNECT_DEFAULTS = {
    "sqlite": {"timeout": str(WAIT)},
    "postgresql": {
        "connect_timeout": str(WAIT),
        "tcp_user_timeout": str(3000 * WAIT),  # ms; a server that vanished is otherwise waited for 15 minutes
        "keepalives_idle": str(3 * WAIT),
        "keepalives_interval": str(WAIT),
        "keepalives_count": "3",
    },
}
_ENGINE_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"pool_pre_ping": True},  # survive a restart of the server
}
_READ_OPTIONS: dict[str, dict[str, Any]] = {
    "sqlite": {},  # a transaction is a snapshot there
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_DISK_FULL = "53100"  # SQLSTATE
_SQLITE_REMEDIES = {
    sqlite3.SQLITE_CANTOPEN: "check that this user may read and write there",
    sqlite3.SQLITE_NOTADB: "the file is not an SQLite database: name another one with --catalog",
    sqlite3.SQLITE_READONLY: "make the file and its directory writable",
    sqlite3.SQLITE_BUSY: f"another program has been writing for over {WAIT} s: stop it or try again",
    sqlite3.SQLITE_FULL: "free some disk space",
    sqlite3.SQLITE_IOERR: "check the disk: it is full, over a quota, or fails",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore it from a backup",
}


class Database:
    """An engine and its two kinds of transaction. Makes no connection until the first one.

    Raises:
        CatalogError: from every method; names the database, without its password, and the remedy.
    """

    def __init__(self, url: str) -> None:
        self._url = _parse(url)
        backend = self._url.get_backend_name()
        self.is_sqlite = backend == "sqlite"
        self._engine = _create_engine(self._url)
        self._reading = self._engine.execution_options(**_READ_OPTIONS[backend])
        self._writing = self._engine.execution_options(**{_WRITE: True})

    def __str__(self) -> str:
        return self._url.difference_update_query(["password", "sslpassword"]).render_as_string()

    @property
    def path(self) -> Path | None:
        """The database file; None when it is on a server."""
        return Path((self._url.database or "").removeprefix("file:")) if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot to read from."""
        with self._translated(), Session(self._reading) as session, session.begin():
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction; commits at the end, rolls back on any error."""
        with self._translated(), Session(self._writing) as session, session.begin():
            yield session

    def now(self, session: Session) -> datetime:
        """Return the time; on a server its own, so that machines whose clocks differ agree on leases."""
        if self.is_sqlite:
            return datetime.now(UTC)
        found: datetime = session.execute(select(func.clock_timestamp())).scalar_one()
        return found.astimezone(UTC)

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """One transaction to change the schema in; others who want to, in any process, wait for its end."""
        with self._translated(), self._writing.begin() as connection:
            if not self.is_sqlite:  # there, every write transaction excludes the others already
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            yield connection

    def own_connection(self) -> psycopg.Connection:
        """Connect to PostgreSQL beside the pool, in autocommit; the caller closes it."""
        with self._translated():
            pooled = self._engine.raw_connection()
            connection = cast("psycopg.Connection", pooled.driver_connection)
            pooled.detach()
            connection.autocommit = True
            return connection

    def use_wal(self) -> None:
        """Let SQLite's readers and writer work side by side; the file remembers it, a copied one may not."""
        if not self.is_sqlite:
            return
        with self._translated(), self._engine.connect() as connection:
            _switch_to_wal(connection)

    def tables(self) -> set[str]:
        """Names of all tables there are, ours or not."""
        with self._translated(), self._reading.connect() as connection:
            return set(inspect(connection).get_table_names())

    def close(self) -> None:
        """Close all connections; a later transaction opens new ones."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            reason = " ".join(str(cause).split())
            raise CatalogError(f"catalog {self}: {reason}; {self._remedy(error, cause)}") from error

    def _remedy(self, error: Exception, cause: BaseException | None) -> str:
        if self.path and not self.path.parent.is_dir():
            return f"directory {self.path.parent} does not exist: create it or name another --catalog"
        code = getattr(cause, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _SQLITE_REMEDIES:  # the upper bits are details
            return _SQLITE_REMEDIES[code & 0xFF]
        if getattr(cause, "sqlstate", None) == _DISK_FULL:
            return "free some disk space on the server"
        if isinstance(error, OperationalError) and not self.is_sqlite:
            return "check that the server runs and that the URL's host, user, password and database are right"
        return "check it with: softspoken db status"


def _parse(text: str) -> URL:
    supported = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
    try:
        url = make_url(text)
    except ArgumentError as error:  # the text may hold a password: do not repeat it
        raise CatalogError(f"the catalog's URL cannot be read: {supported}") from error
    backend = url.get_backend_name()
    if backend not in _DRIVERS:
        raise CatalogError(f"a catalog cannot be kept in {backend!r}: {supported}")
    if backend == "sqlite" and url.database in (None, "", ":memory:"):
        raise CatalogError(f"catalog {text} names no file, and other processes could not see it: {supported}")
    return url


def _create_engine(url: URL) -> Engine:
    backend = url.get_backend_name()
    url = url.set(drivername=_DRIVERS[backend], query={**_CONNECT_DEFAULTS[backend], **url.query})
    try:
        engine = create_engine(url, hide_parameters=True, **_ENGINE_OPTIONS[backend])
    except ModuleNotFoundError as error:
        raise CatalogError(f"{backend} needs the package {error.name!r}: pip install it") from error
    if backend == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself: _begin_sqlite does
    try:
        connection.execute("PRAGMA synchronous=NORMAL")  # with WAL, a power cut loses no consistency
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.Error:
        connection.close()  # the pool does not know it yet
        raise


def _switch_to_wal(connection: Connection) -> None:
    deadline = time.monotonic() + WAIT
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)  # has no transaction open yet
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # SQLite fails this at once while another process does the same: its busy timeout does not apply.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(_WAL_RETRY)


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail, not wait, when another one wrote in between.
    writes = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
