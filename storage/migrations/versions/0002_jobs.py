"""Chunked blobs, training jobs, exemplars, trials of candidates, the audit log."""

from __future__ import annotations

from itertools import count

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_CHUNK = 1 << 20  # bytes


def upgrade() -> None:
    _chunk_blobs()
    _extend_skills()
    _make_jobs()
    _make_exemplars_and_traffic()
    _make_audit_log()


def _chunk_blobs() -> None:
    chunks = op.create_table(
        "blob_chunks",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["sha256"], ["blobs.sha256"], name=op.f("fk_blob_chunks_sha256"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("sha256", "position", name=op.f("pk_blob_chunks")),
    )
    connection = op.get_bind()
    names = connection.scalars(sa.text("SELECT sha256 FROM blobs")).all()
    part = sa.text("SELECT substr(data, :start, :length) FROM blobs WHERE sha256 = :sha256")
    for sha256 in names:
        for position in count():
            values = {"start": 1 + position * _CHUNK, "length": _CHUNK, "sha256": sha256}
            data = connection.scalar(part, values)
            if not data and position:
                break
            connection.execute(chunks.insert().values(sha256=sha256, position=position, data=data or b""))
            if len(data or b"") < _CHUNK:
                break
    op.drop_column("blobs", "data")
    op.create_index(op.f("ix_skill_versions_sha256"), "skill_versions", ["sha256"])


def _extend_skills() -> None:
    op.add_column("skills", sa.Column("last_version", sa.Integer, nullable=False, server_default="0"))
    op.execute(
        "UPDATE skills SET last_version = "
        "coalesce((SELECT max(number) FROM skill_versions WHERE skill_id = skills.id), 0)"
    )


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("skill", sa.String(64), nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("dataset", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_cancel_requested", sa.Boolean, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(128), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("checkpoint", sa.String(64), nullable=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=True),
        sa.Column("submitted_by", sa.String(128), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["blobs.sha256"], name=op.f("fk_jobs_dataset")),
        sa.ForeignKeyConstraint(["checkpoint"], ["blobs.sha256"], name=op.f("fk_jobs_checkpoint")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_jobs_idempotency_key")),
    )
    op.create_index(op.f("ix_jobs_state_priority_id"), "jobs", ["state", "priority", "id"])
    for column in ("dataset", "checkpoint"):
        op.create_index(op.f(f"ix_jobs_{column}"), "jobs", [column])


def _make_exemplars_and_traffic() -> None:
    op.create_table(
        "exemplars",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("skill_id", sa.Integer, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("intent", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.ForeignKeyConstraint(["skill_id"], ["skills.id"], name=op.f("fk_exemplars_skill_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exemplars")),
    )
    op.create_index(op.f("ix_exemplars_skill_id"), "exemplars", ["skill_id"])
    op.create_table(
        "skill_traffic",
        sa.Column("skill_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("canary", sa.Double, nullable=False),
        sa.Column("shadow", sa.Double, nullable=False),
        sa.ForeignKeyConstraint(["skill_id"], ["skills.id"], name=op.f("fk_skill_traffic_skill_id")),
        sa.PrimaryKeyConstraint("skill_id", name=op.f("pk_skill_traffic")),
    )


def _make_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(128), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("skill", sa.String(64), nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("from_version", sa.Integer, nullable=True),
        sa.Column("to_version", sa.Integer, nullable=True),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_skill_id"), "audit_log", ["skill", "id"])
