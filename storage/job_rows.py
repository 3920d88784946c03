"""Jobs as rows: how they are made, taken, put back and ended. The queue's transactions call these."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from skills.errors import CatalogError, InputError, LeaseLostError, UnknownJobError
from skills.job import Job, JobProgress, JobRequest, JobState, Lease
from storage.blobs import add_blob, drop_blob
from storage.change import MAX_WHO, Change
from storage.tables import JobRow

MAX_ATTEMPTS = 3
MAX_KEY = 64  # characters of an idempotency key
MAX_PRIORITY = 1000
MAX_REASON = 2000  # characters
LONGEST_WAIT = timedelta(hours=1)  # no lease and no back-off is longer: a clock that was wrong has set it
_MAX_ID = 2**31 - 1

logger = logging.getLogger(__name__)


def check_order(priority: int, key: str) -> None:
    """Check what a job may be submitted with.

    Raises:
        InputError: the priority or the idempotency key is not valid.
    """
    if abs(priority) > MAX_PRIORITY:
        raise InputError(
            f"priority is {priority}, allowed are -{MAX_PRIORITY} to {MAX_PRIORITY}", field="priority"
        )
    if len(key) > MAX_KEY or not key.isprintable():
        raise InputError(
            f"idempotency key of {len(key)} characters is not valid: use at most {MAX_KEY}, all printable",
            field="key",
        )


def held(session: Session, lease: Lease) -> JobRow:
    """Return the locked row of a job that the lease still holds.

    Raises:
        LeaseLostError: it does not.
    """
    try:
        row = find_job(session, lease.job.id, lock=True)
    except UnknownJobError as error:
        raise LeaseLostError(f"job {lease.job.id} is gone: its skill was purged") from error
    if row.state != JobState.RUNNING or row.token != lease.token:
        whose = f"{row.worker} has it" if row.state == JobState.RUNNING else f"it is {row.state}"
        raise LeaseLostError(f"job {row.id} is not of {lease.job.worker} any more: {whose}")
    return row


def succeed(change: Change, lease: Lease, version: int, reason: str) -> None:
    """End a job in the transaction that publishes its version; `reason` says why it was not promoted.

    Raises:
        LeaseLostError: another worker has the job, or it has ended: nothing may be published.
    """
    row = held(change.session, lease)
    row.version = version
    end(change.session, row, JobState.SUCCEEDED, change.at, reason=reason)


def new_row(session: Session, request: JobRequest, data: bytes, now: datetime, by: str) -> JobRow:
    """Add a queued job and its rows."""
    row = JobRow(
        skill=request.skill,
        request=request.as_dict(),
        dataset=add_blob(session, data),
        state=str(JobState.QUEUED),
        priority=0,
        attempts=0,
        max_attempts=MAX_ATTEMPTS,
        not_before=now,
        token=0,
        submitted_by=by[:MAX_WHO],
        submitted_at=now,
    )
    session.add(row)
    return row


def take(row: JobRow, worker: str, now: datetime, lease_seconds: float) -> None:
    """Give a job to a worker."""
    row.state, row.worker, row.reason = str(JobState.RUNNING), worker[:MAX_WHO], ""
    row.token += 1
    row.attempts += 1
    row.lease_until = now + timedelta(seconds=lease_seconds)
    row.started_at = row.started_at or now


def put_back(row: JobRow, reason: str, not_before: datetime) -> None:
    """Queue a job again."""
    row.state, row.reason = str(JobState.QUEUED), _storable(reason)
    row.not_before, row.lease_until = not_before, None


def end(session: Session, row: JobRow, state: JobState, now: datetime, *, reason: str) -> None:
    """End a job; what failed keeps its checkpoint, for a retry."""
    row.state, row.reason = str(state), _storable(reason)
    row.lease_until, row.finished_at = None, now
    if state is JobState.SUCCEEDED and row.checkpoint is not None:
        checkpoint, row.checkpoint = row.checkpoint, None
        session.flush()
        drop_blob(session, checkpoint)


def end_cancelled(session: Session, row: JobRow, now: datetime) -> None:
    """End a running job that someone asked to cancel."""
    end(session, row, JobState.CANCELLED, now, reason=f"cancelled while {row.worker} ran it")


def store_progress(row: JobRow, progress: JobProgress) -> None:
    """Note how far a job is; a number that is not finite is left out, as JSON has none."""
    values = asdict(progress).items()
    row.progress = {
        name: value for name, value in values if not isinstance(value, float) or math.isfinite(value)
    }


def first_due(session: Session, now: datetime) -> JobRow | None:
    """Return the locked row of the job to take next; skips those that another worker is taking."""
    due = or_(
        and_(JobRow.state == str(JobState.QUEUED), _is_past(JobRow.not_before, now)),
        and_(JobRow.state == str(JobState.RUNNING), _is_past(JobRow.lease_until, now)),
    )
    first = select(JobRow).where(due).order_by(JobRow.priority.desc(), JobRow.id).limit(1)
    return session.scalar(first.with_for_update(skip_locked=True))


def _is_past(time: InstrumentedAttribute[Any], now: datetime) -> ColumnElement[bool]:
    return or_(time <= now, time > now + LONGEST_WAIT)


def give_up_lost(session: Session, now: datetime) -> None:
    """End the jobs whose worker is gone and that are cancelled or have no attempt left."""
    lost = select(JobRow).where(JobRow.state == str(JobState.RUNNING), _is_past(JobRow.lease_until, now))
    ended = or_(JobRow.attempts >= JobRow.max_attempts, JobRow.is_cancel_requested)
    for row in session.scalars(lost.where(ended).with_for_update(skip_locked=True)):
        if row.is_cancel_requested:
            end(session, row, JobState.CANCELLED, now, reason=f"cancelled; {row.worker} was gone")
        else:
            times = f"{row.attempts} attempts" if row.attempts > 1 else "the only attempt"
            reason = f"{row.worker} stopped without a word in {times}; was it killed, or out of memory?"
            end(session, row, JobState.FAILED, now, reason=reason)


def find_job(session: Session, job_id: int, *, lock: bool = False) -> JobRow:
    """Return the row of a job.

    Raises:
        UnknownJobError: there is none.
    """
    wanted = select(JobRow).where(JobRow.id == job_id)
    row = session.scalar(wanted.with_for_update() if lock else wanted) if 0 < job_id <= _MAX_ID else None
    if row is None:
        newest = session.scalar(select(func.max(JobRow.id)))
        there = "there are none" if newest is None else f"the newest is {newest}"
        raise UnknownJobError(f"no job {job_id}; {there}", field="job")
    return row


def read_job(row: JobRow) -> Job:
    """Return a row as the domain has it.

    Raises:
        CatalogError: another program wrote it, and this one cannot read it.
    """
    try:
        request, progress = JobRequest.from_dict(row.request), JobProgress(**row.progress)
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            f"job {row.id} cannot be read by this program ({error}): upgrade softspoken, or submit it again"
        ) from error
    return Job(
        id=row.id,
        request=request,
        dataset=row.dataset,
        state=JobState(row.state),
        priority=row.priority,
        attempts=row.attempts,
        max_attempts=row.max_attempts,
        progress=progress,
        reason=row.reason,
        worker=row.worker,
        version=row.version,
        submitted_by=row.submitted_by,
        submitted_at=row.submitted_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        is_cancel_requested=row.is_cancel_requested,
    )


def read_jobs(rows: Iterable[JobRow]) -> list[Job]:
    """Return rows as the domain has them; leaves out, and logs, those that this program cannot read."""
    found = []
    for row in rows:
        try:
            found.append(read_job(row))
        except CatalogError as error:
            logger.warning("%s", error)
    return found


def _storable(text: str) -> str:
    """Return a text of any origin as every database takes it."""
    return text.replace("\0", "").encode(errors="replace").decode()[:MAX_REASON]
