"""A change of the catalog: one transaction that raises the revision and tells the audit log who did what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storage.database import Database
from storage.tables import STATE_ID, AuditRow, CatalogStateRow

CHANNEL = "softspoken_catalog"  # of PostgreSQL's NOTIFY
MAX_WHO = 128  # characters of who does something: a user, a key, a worker


@dataclass(frozen=True)
class Change:
    """An open transaction: its session, its time, and who makes it."""

    session: Session
    at: datetime
    by: str

    def record(
        self,
        action: str,
        skill: str,
        *,
        alias: str = "",
        from_version: int | None = None,
        to_version: int | None = None,
        detail: str = "",
    ) -> None:
        """Write a line into the audit log."""
        self.session.add(
            AuditRow(
                at=self.at,
                by=self.by[:MAX_WHO],
                action=action,
                skill=skill,
                alias=alias,
                from_version=from_version,
                to_version=to_version,
                detail=detail,
            )
        )


@contextmanager
def storing(database: Database) -> Iterator[Session]:
    """Begin a write that adds or drops blobs and changes no skill; all such, and all changes, take turns.

    The lock comes before any row of a job, as in a change, so that no two wait for each other.
    """
    with database.write() as session:
        session.execute(select(CatalogStateRow.id).where(CatalogStateRow.id == STATE_ID).with_for_update())
        yield session


@contextmanager
def changing(database: Database, by: str) -> Iterator[Change]:
    """Begin a change; commits at the end, rolls back on any error.

    The revision's row is locked first, so that writers take turns: no two publishers get the same number.
    """
    with database.write() as session:
        raised = update(CatalogStateRow).values(revision=CatalogStateRow.revision + 1)
        session.execute(raised.where(CatalogStateRow.id == STATE_ID))
        if not database.is_sqlite:
            session.execute(select(func.pg_notify(CHANNEL, "")))
        yield Change(session, database.now(session), by)
