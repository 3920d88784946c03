"""How the queue of jobs is doing, for those who watch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from skills.job import JobState
from storage.tables import JobRow

# What a transaction may take, from the end that it notes to the end that others see.
WINDOW = timedelta(seconds=60)


@dataclass(frozen=True)
class EndedJob:
    """One end of a job, and how long it took from its first start (seconds)."""

    id: int
    state: JobState
    at: datetime
    seconds: float


@dataclass(frozen=True)
class JobStatistics:
    """The jobs at one moment, by the clock of the database.

    waiting: for how long the first of those that are due has been so (seconds). ended: since WINDOW before
    the moment that was asked for; what the last statistics had, too, is not new.
    """

    at: datetime
    counts: Mapping[JobState, int]
    waiting: float
    ended: frozenset[EndedJob]


def read_statistics(session: Session, now: datetime, since: datetime | None) -> JobStatistics:
    """Read the jobs, with those that ended after `since`, or only just."""
    counts = dict(session.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).all())
    due = session.scalar(select(func.min(JobRow.not_before)).where(JobRow.state == str(JobState.QUEUED)))
    columns = select(JobRow.id, JobRow.state, JobRow.started_at, JobRow.finished_at)
    ended = session.execute(columns.where(JobRow.finished_at > (since or now) - WINDOW))
    return JobStatistics(
        at=now,
        counts={state: counts.get(str(state), 0) for state in JobState},
        waiting=0.0 if due is None else max(0.0, (now - due).total_seconds()),
        ended=frozenset(
            EndedJob(number, JobState(state), finished, (finished - (started or finished)).total_seconds())
            for number, state, started, finished in ended
            if finished is not None
        ),
    )
