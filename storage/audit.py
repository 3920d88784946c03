"""The audit log as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.tables import AuditRow


@dataclass(frozen=True)
class AuditEntry:
    """Who did what to which skill, when, and from which version to which."""

    at: datetime
    by: str
    action: str
    skill: str
    alias: str
    from_version: int | None
    to_version: int | None
    detail: str


def read_audit(session: Session, skill: str | None, limit: int) -> Sequence[AuditEntry]:
    """Return the newest entries, of one skill or of all, newest first."""
    wanted = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if skill is not None:
        wanted = wanted.where(AuditRow.skill == skill)
    return [
        AuditEntry(
            row.at, row.by, row.action, row.skill, row.alias, row.from_version, row.to_version, row.detail
        )
        for row in session.scalars(wanted)
    ]
