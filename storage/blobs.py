"""Blobs: bytes by their SHA-256, in chunks, so that neither database nor process holds one several times."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from storage.tables import BlobChunkRow, BlobRow, JobRow, SkillVersionRow

CHUNK = 1 << 20  # bytes


def add_blob(session: Session, data: bytes) -> str:
    """Store bytes, unless they are there, and return their SHA-256; repairs a corrupted blob.

    Who adds or drops blobs holds the lock of `storage.change`: two may bring the same bytes at once.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    stored = session.get(BlobRow, sha256)
    if stored is not None:
        if stored.size == len(data) and b"".join(blob_chunks(session, sha256)) == data:
            return sha256
        session.execute(delete(BlobChunkRow).where(BlobChunkRow.sha256 == sha256))
        stored.size = len(data)
    else:
        session.add(BlobRow(sha256=sha256, size=len(data)))
    session.flush()
    view = memoryview(data)
    for position, start in enumerate(range(0, max(len(data), 1), CHUNK)):
        chunk = BlobChunkRow(sha256=sha256, position=position, data=bytes(view[start : start + CHUNK]))
        session.add(chunk)
        session.flush()
        session.expunge(chunk)
    return sha256


def blob_chunks(session: Session, sha256: str) -> Iterator[bytes]:
    """Yield the parts of a blob in order, one in memory at a time; nothing if there is no such blob."""
    wanted = select(BlobChunkRow.data).where(BlobChunkRow.sha256 == sha256).order_by(BlobChunkRow.position)
    yield from session.scalars(wanted.execution_options(yield_per=1))


def read_blob(session: Session, sha256: str) -> bytes | None:
    """Return a blob as it is stored, None if there is none."""
    found = session.scalar(select(BlobRow.sha256).where(BlobRow.sha256 == sha256))
    return None if found is None else b"".join(blob_chunks(session, sha256))


def read_sound_blob(session: Session, sha256: str) -> bytes | None:
    """Return a blob, None if there is none or if it is not what was stored."""
    data = read_blob(session, sha256)
    return data if data is not None and hashlib.sha256(data).hexdigest() == sha256 else None


def drop_unreferenced(session: Session) -> None:
    """Delete the blobs that no version and no job refers to."""
    for sha256 in session.scalars(_unreferenced()).all():
        drop_blob(session, sha256)


def drop_blob(session: Session, sha256: str) -> None:
    """Delete a blob unless something refers to it: jobs that ask for the same have the same checkpoints."""
    if session.scalar(_unreferenced().where(BlobRow.sha256 == sha256)) is None:
        return
    session.execute(delete(BlobChunkRow).where(BlobChunkRow.sha256 == sha256))
    session.execute(delete(BlobRow).where(BlobRow.sha256 == sha256))


def _unreferenced() -> Select[str]:
    columns = (SkillVersionRow.sha256, JobRow.dataset, JobRow.checkpoint)
    return select(BlobRow.sha256).where(
        *(~select(column).where(column == BlobRow.sha256).exists() for column in columns)
    )
