"""The catalog's tables as SQLAlchemy rows. Rows never leave `storage`; `migrations/` makes the tables."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STATE_ID = 1  # of the only row of catalog_state


class AliasChange(StrEnum):
    """What moved an alias."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    DELETE = "delete"


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, stored and read as UTC; SQLite has no time zones of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can drop it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads this attribute as it is
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[str]: JSON(),
    }


class SkillRow(Base):
    """A skill's name and kind; kept after deletion, so that version numbers are never used twice."""

    __tablename__ = "skills"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    last_version: Mapped[int] = mapped_column(default=0, server_default="0")  # highest number ever given


class BlobRow(Base):
    """Bytes, stored once however many rows refer to them: tensors, data sets, checkpoints."""

    __tablename__ = "blobs"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int]  # bytes


class BlobChunkRow(Base):
    """A part of a blob, in the order of `position`; none is larger than `storage.blobs.CHUNK`."""

    __tablename__ = "blob_chunks"

    sha256: Mapped[str] = mapped_column(ForeignKey("blobs.sha256", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class SkillVersionRow(Base):
    """An immutable version: written once, never updated."""

    __tablename__ = "skill_versions"

    skill_id: Mapped[int] = mapped_column(ForeignKey("skills.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    method: Mapped[str] = mapped_column(String(32))
    labels: Mapped[list[str]]
    backbone: Mapped[str] = mapped_column(String(64))
    head: Mapped[dict[str, Any]]
    calibration: Mapped[dict[str, Any]]
    metrics: Mapped[dict[str, Any]]
    provenance: Mapped[dict[str, Any]]
    sha256: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"), index=True)
    created_at: Mapped[datetime]


class SkillAliasRow(Base):
    """The version that an alias of a skill names now."""

    __tablename__ = "skill_aliases"

    skill_id: Mapped[int] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int]

    __table_args__ = (
        ForeignKeyConstraint(["skill_id", "version"], ["skill_versions.skill_id", "skill_versions.number"]),
    )


class AliasHistoryRow(Base):
    """One move of an alias, in the order of `id`; what a rollback reads."""

    __tablename__ = "alias_history"

    id: Mapped[int] = mapped_column(primary_key=True)
    skill_id: Mapped[int] = mapped_column(ForeignKey("skills.id"))
    alias: Mapped[str] = mapped_column(String(64))
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))

    __table_args__ = (Index(None, "skill_id", "alias"),)


class ExemplarRow(Base):
    """An utterance with its right intent, which counts before the next training."""

    __tablename__ = "exemplars"

    id: Mapped[int] = mapped_column(primary_key=True)
    skill_id: Mapped[int] = mapped_column(ForeignKey("skills.id"))
    text: Mapped[str] = mapped_column(Text)
    intent: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(128))

    __table_args__ = (Index(None, "skill_id"),)  # with the text, an entry may be too long for PostgreSQL


class TrafficRow(Base):
    """The trial of a skill's candidate; no row, no trial."""

    __tablename__ = "skill_traffic"

    skill_id: Mapped[int] = mapped_column(ForeignKey("skills.id"), primary_key=True, autoincrement=False)
    canary: Mapped[float]
    shadow: Mapped[float]


class JobRow(Base):
    """A training job; `token` is raised by every claim, so that a worker that lost its lease is known."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    skill: Mapped[str] = mapped_column(String(64))
    request: Mapped[dict[str, Any]]
    dataset: Mapped[str] = mapped_column(ForeignKey("blobs.sha256"), index=True)
    idempotency_key: Mapped[str | None] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    priority: Mapped[int]
    attempts: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    not_before: Mapped[datetime]
    is_cancel_requested: Mapped[bool] = mapped_column(default=False)
    token: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(String(128), default="")
    lease_until: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = mapped_column(default=dict)
    checkpoint: Mapped[str | None] = mapped_column(ForeignKey("blobs.sha256"), index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int | None]
    submitted_by: Mapped[str] = mapped_column(String(128))
    submitted_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "state", "priority", "id"),)


class AuditRow(Base):
    """Who did what to which skill, and when; never updated, never deleted."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(16))
    skill: Mapped[str] = mapped_column(String(64))
    alias: Mapped[str] = mapped_column(String(64), default="")
    from_version: Mapped[int | None]
    to_version: Mapped[int | None]
    detail: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (Index(None, "skill", "id"),)


class ApiKeyRow(Base):
    """Who may call a server; never deleted, so that a name in the audit log means one key."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    skills: Mapped[list[str]]
    rate: Mapped[float | None]
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class CatalogStateRow(Base):
    """The only row: a revision that every write raises, and that every writer locks first."""

    __tablename__ = "catalog_state"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int]

    __table_args__ = (CheckConstraint(f"id = {STATE_ID}", name="one_row"),)
