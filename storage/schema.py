"""The catalog's schema: which revision a database has, and how it gets the newest (Alembic, at run time)."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from skills.errors import CatalogError, SchemaError
from storage.database import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_VERSION_TABLE = "alembic_version"
_alembic = threading.Lock()  # its `op` and `context` are global to the process


@dataclass(frozen=True)
class SchemaStatus:
    """Revision that a database has (None: no schema yet) and the one that this program needs."""

    current: str | None
    head: str

    @property
    def is_current(self) -> bool:
        return self.current == self.head


def status(url: str) -> SchemaStatus:
    """Return the schema's revision; makes no file.

    Raises:
        CatalogError: the database cannot be reached or read.
    """
    with closing(Database(url)) as database:
        return _status(database)


def upgrade(url: str) -> SchemaStatus:
    """Bring a database to the newest schema, all or nothing; several processes may do so at once.

    Raises:
        SchemaError: its schema is newer than this program.
        CatalogError: it cannot be reached or written, or is not a catalog.
    """
    with closing(Database(url)) as database:
        _refuse_foreign(database)
        _refuse_newer(database, _status(database))
        _upgrade(database)
        return _status(database)


def prepare(database: Database) -> None:
    """Check that a database has the schema of this program; make it in a fresh SQLite file.

    Raises:
        SchemaError: the schema is older (names the command to run) or newer than this program.
        CatalogError: the database cannot be reached, read or, when fresh, written, or is not a catalog.
    """
    if database.is_sqlite and not database.tables():
        _upgrade(database)
    _refuse_foreign(database)
    found = _status(database)
    if found.is_current:
        database.use_wal()
        return
    _refuse_newer(database, found)
    raise SchemaError(
        f"catalog {database} has schema {found.current or 'none'}, this program needs {found.head}; "
        f"run: softspoken db upgrade --catalog {database}"
    )


def _status(database: Database) -> SchemaStatus:
    head = max(_revisions(), default=None)
    if head is None:
        raise SchemaError(f"{MIGRATIONS} holds no migrations: install softspoken again")
    if database.path and not database.path.exists():
        return SchemaStatus(None, head)
    with database.read() as session:
        return SchemaStatus(_current(session.connection()), head)


def _revisions() -> set[str]:
    """Return the revisions that this program knows: `0001` from `0001_catalog.py`, and so on."""
    return {path.name.partition("_")[0] for path in MIGRATIONS.glob("versions/[0-9]*_*.py")}


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_VERSION_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608
    return found


def _upgrade(database: Database) -> None:
    from alembic import command  # only here: half of the time that a command takes to start
    from alembic.config import Config

    with _alembic, database.migrate() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(config, "head")


def _refuse_newer(database: Database, found: SchemaStatus) -> None:
    if found.current is not None and found.current not in _revisions():
        raise SchemaError(
            f"catalog {database} has schema {found.current}, which is newer than {found.head}: "
            "this program is older than the catalog; upgrade softspoken"
        )


def _refuse_foreign(database: Database) -> None:
    """Refuse an SQLite file of some other program; on a server, tables may share a database."""
    tables = database.tables()
    if database.is_sqlite and tables and _VERSION_TABLE not in tables:
        raise CatalogError(
            f"catalog {database} is a database of another program (it has the table {min(tables)!r}): "
            "name another file with --catalog"
        )
