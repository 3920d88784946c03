"""The queue of training jobs: leases, attempts with back-off, fencing tokens, cancellation.

A worker claims a job for some seconds and renews its lease by heartbeats. A lease that runs out lets another
worker take the job over; the token, raised by every claim, keeps the first one from writing any more. A job
that has used up its attempts is FAILED, with the reason, and stays for people to look at and retry.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select

from skills.errors import CatalogError, InputError, JobCancelledError, UnknownJobError
from skills.job import Job, JobProgress, JobRequest, JobState, Lease
from skills.skill import check_name
from storage.blobs import add_blob, drop_blob, read_sound_blob
from storage.change import Change, storing
from storage.database import Database
from storage.job_rows import (
    MAX_ATTEMPTS,
    check_order,
    end,
    end_cancelled,
    find_job,
    first_due,
    give_up_lost,
    held,
    new_row,
    put_back,
    read_job,
    read_jobs,
    store_progress,
    take,
)
from storage.job_statistics import JobStatistics, read_statistics
from storage.tables import JobRow

LEASE_SECONDS = 60.0  # without a heartbeat, and another worker takes the job over
BACK_OFF = timedelta(seconds=10)  # before the second attempt; doubles with each


class JobQueue:
    """The catalog's jobs. Safe to share between threads.

    Raises:
        CatalogError: from every method; the database cannot be reached, read or written.
    """

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._by = by

    def submit(
        self, request: JobRequest, data: bytes, *, priority: int = 0, key: str = "", by: str = ""
    ) -> Job:
        """Queue a training of the rows in `data`; a second call with the same `key` returns the first's job.

        Raises:
            InputError: the skill's name, the key or the priority is not valid.
        """
        check_name(request.skill)
        check_order(priority, key)
        with storing(self._database) as session:
            same = select(JobRow).where(JobRow.idempotency_key == key)
            row = session.scalar(same) if key else None
            if row is None:
                now = self._database.now(session)
                row = new_row(session, request, data, now, by or self._by)
                row.priority, row.idempotency_key = priority, key or None
                session.flush()
            return read_job(row)

    def begin(
        self, request: JobRequest, data: bytes, worker: str, *, lease_seconds: float = LEASE_SECONDS
    ) -> Lease:
        """Store a job that this worker has already: nobody else claims it, and there is one attempt.

        Raises:
            InputError: the skill's name is not valid.
        """
        check_name(request.skill)
        with storing(self._database) as session:
            now = self._database.now(session)
            row = new_row(session, request, data, now, self._by)
            row.max_attempts = 1
            take(row, worker, now, lease_seconds)
            session.flush()
            return Lease(read_job(row), row.token)

    def claim(self, worker: str, *, lease_seconds: float = LEASE_SECONDS) -> Lease | None:
        """Take the first job that is due, of the highest priority; None if there is none.

        A job that this program cannot read is given up, so that it does not keep the others waiting.
        """
        with self._database.write() as session:
            now = self._database.now(session)
            give_up_lost(session, now)
            while row := first_due(session, now):
                take(row, worker, now, lease_seconds)
                session.flush()
                try:
                    return Lease(read_job(row), row.token)
                except CatalogError as error:
                    end(session, row, JobState.FAILED, now, reason=str(error))
            return None

    def heartbeat(self, lease: Lease, progress: JobProgress, *, lease_seconds: float = LEASE_SECONDS) -> None:
        """Say that the worker is alive and how far it is.

        Raises:
            JobCancelledError: someone asked to cancel the job, which it now is.
            LeaseLostError: another worker has the job, or it has ended.
        """
        with self._database.write() as session:
            row = held(session, lease)
            now = self._database.now(session)
            cancelled = row.is_cancel_requested
            if cancelled:
                end_cancelled(session, row, now)
            else:
                store_progress(row, progress)
                row.lease_until = now + timedelta(seconds=lease_seconds)
        if cancelled:
            raise JobCancelledError(f"job {lease.job.id} was cancelled")

    def save_checkpoint(self, lease: Lease, data: bytes) -> None:
        """Store where the training is, instead of the last checkpoint.

        Raises:
            LeaseLostError: another worker has the job, or it has ended.
        """
        with storing(self._database) as session:
            row = held(session, lease)
            before, row.checkpoint = row.checkpoint, add_blob(session, data)
            session.flush()
            if before is not None and before != row.checkpoint:
                drop_blob(session, before)

    def checkpoint(self, lease: Lease) -> bytes | None:
        """Return the last checkpoint, of whichever worker; None if there is none, or it is damaged."""
        with self._database.read() as session:
            sha256 = session.scalar(select(JobRow.checkpoint).where(JobRow.id == lease.job.id))
            return None if sha256 is None else read_sound_blob(session, sha256)

    def data(self, job: Job) -> bytes:
        """Return the rows of a job.

        Raises:
            UnknownJobError: they are gone, or are not what was submitted.
        """
        with self._database.read() as session:
            found = read_sound_blob(session, job.dataset)
        if found is None:
            raise UnknownJobError(
                f"the rows of job {job.id} are gone or damaged: submit it again", field="job"
            )
        return found

    def fail(self, lease: Lease, reason: str, *, retry: bool) -> Job:
        """Put a job back for a later attempt or, without `retry` or attempts left, give it up.

        Raises:
            LeaseLostError: another worker has the job, or it has ended.
        """
        with self._database.write() as session:
            row = held(session, lease)
            now = self._database.now(session)
            if row.is_cancel_requested:
                end_cancelled(session, row, now)
            elif retry and row.attempts < row.max_attempts:
                put_back(row, reason, now + BACK_OFF * 2 ** (row.attempts - 1))
            else:
                end(session, row, JobState.FAILED, now, reason=reason)
            return read_job(row)

    def release(self, lease: Lease) -> None:
        """Give a job back, as a worker that is told to stop does; the attempt does not count.

        Raises:
            LeaseLostError: another worker has the job, or it has ended.
        """
        with self._database.write() as session:
            row = held(session, lease)
            now = self._database.now(session)
            if row.is_cancel_requested:
                end_cancelled(session, row, now)
            else:
                row.attempts -= 1
                put_back(row, f"{row.worker} stopped", now)

    def cancel(self, job_id: int, *, by: str = "") -> Job:
        """Cancel a job; one that a worker runs ends at its next heartbeat.

        Raises:
            UnknownJobError: there is no such job.
            InputError: it has ended.
        """
        with self._database.write() as session:
            row = find_job(session, job_id, lock=True)
            if JobState(row.state).is_final:
                raise InputError(f"job {job_id} has ended already: it is {row.state}", field="job")
            now = self._database.now(session)
            if row.lease_until is None or row.lease_until < now:
                end(session, row, JobState.CANCELLED, now, reason="cancelled")
            row.is_cancel_requested = True
            Change(session, now, by or self._by).record("cancel", row.skill, detail=f"job {job_id}")
            return read_job(row)

    def retry(self, job_id: int, *, by: str = "") -> Job:
        """Queue a job again that failed or was cancelled, with all its attempts.

        Raises:
            UnknownJobError: there is no such job.
            InputError: it did not fail and was not cancelled.
        """
        with self._database.write() as session:
            row = find_job(session, job_id, lock=True)
            if row.state not in (JobState.FAILED, JobState.CANCELLED):
                raise InputError(f"job {job_id} is {row.state}: nothing to retry", field="job")
            row.attempts, row.is_cancel_requested, row.finished_at = 0, False, None
            row.max_attempts = max(row.max_attempts, MAX_ATTEMPTS)
            now = self._database.now(session)
            put_back(row, row.reason, now)
            Change(session, now, by or self._by).record("retry", row.skill, detail=f"job {job_id}")
            return read_job(row)

    def get(self, job_id: int) -> Job:
        """Return a job.

        Raises:
            UnknownJobError: there is no such job.
        """
        with self._database.read() as session:
            return read_job(find_job(session, job_id))

    def statistics(self, since: datetime | None = None) -> JobStatistics:
        """Return how the queue is doing, and which jobs ended after `since`; cheap enough to poll."""
        with self._database.read() as session:
            return read_statistics(session, self._database.now(session), since)

    def list(
        self, *, skill: str | None = None, states: Collection[JobState] = (), limit: int = 100
    ) -> list[Job]:
        """Return the newest jobs, of one skill or of all, newest first; without `states`, in any state.

        Those that this program cannot read are left out, and logged.
        """
        wanted = select(JobRow).order_by(JobRow.id.desc()).limit(limit)
        if skill is not None:
            wanted = wanted.where(JobRow.skill == skill)
        if states:
            wanted = wanted.where(JobRow.state.in_(map(str, states)))
        with self._database.read() as session:
            return read_jobs(session.scalars(wanted))
