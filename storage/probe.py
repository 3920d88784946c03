"""A look at a catalog's database by someone who cannot rely on it yet."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import update

from storage import schema
from storage.database import Database
from storage.schema import SchemaStatus
from storage.tables import CatalogStateRow


@dataclass(frozen=True)
class Probe:
    """What was found: the schema, and how many seconds this machine's clock is ahead of the database's."""

    schema: SchemaStatus
    clock_ahead: float  # s; 0 where the catalog is a file


def probe(url: str) -> Probe:
    """Look at schema and clock; with the schema of this program, also begin a change, and take it back.

    Raises:
        CatalogError: the database cannot be reached, read or written.
    """
    found = schema.status(url)
    if not found.is_current:
        return Probe(found, 0.0)
    with closing(Database(url)) as database, database.write() as session:
        before = datetime.now(UTC)
        there = database.now(session)
        here = before + (datetime.now(UTC) - before) / 2
        session.execute(update(CatalogStateRow).values(revision=CatalogStateRow.revision))
        session.rollback()
    return Probe(found, 0.0 if database.is_sqlite else (here - there).total_seconds())
