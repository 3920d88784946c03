from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skills.errors import CatalogError, InputError, JobCancelledError, LeaseLostError
from skills.job import JobProgress, JobRequest, Lease
from skills.skill import SkillKind
from storage.catalog import Catalog
from storage.jobs import JobQueue
from training.heartbeat import Heartbeat

HALF_WAY = JobProgress("tune", 5, 10, 0.5)


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[JobQueue]:
    catalog = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield catalog.jobs
    catalog.close()


def claim(jobs: JobQueue, **options: Any) -> Lease:
    if not jobs.list():
        jobs.submit(JobRequest("chat", SkillKind.INTENT), b"rows")
    lease = jobs.claim("ada", **options)
    assert lease is not None
    return lease


def test_a_lease_is_renewed_with_the_latest_progress_whatever_else_is_done(
    jobs: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, beat, beats = claim(jobs), jobs.heartbeat, threading.Semaphore(0)

    def counted(*arguments: Any, **options: Any) -> None:
        beat(*arguments, **options)
        beats.release()

    monkeypatch.setattr(jobs, "heartbeat", counted)
    with Heartbeat(jobs, lease, lease_seconds=0.4) as heartbeat:
        heartbeat.report(HALF_WAY)
        assert all(beats.acquire(timeout=60) for _ in range(3))

    assert jobs.get(lease.job.id).progress == HALF_WAY
    assert "heartbeat" not in [thread.name for thread in threading.enumerate()]


def test_an_attempt_shows_the_progress_of_the_one_before_until_it_has_its_own(jobs: JobQueue) -> None:
    jobs.heartbeat(claim(jobs), HALF_WAY, lease_seconds=-1.0)
    again = claim(jobs)

    with Heartbeat(jobs, again, lease_seconds=60.0) as heartbeat:
        heartbeat.beat()

    assert jobs.get(again.job.id).progress == HALF_WAY


def test_a_job_that_was_cancelled_or_taken_over_ends_at_the_next_report(jobs: JobQueue) -> None:
    first = claim(jobs, lease_seconds=-1.0)
    second = claim(jobs)
    lost, cancelled = Heartbeat(jobs, first, 60.0), Heartbeat(jobs, second, 60.0)
    jobs.cancel(second.job.id)

    with pytest.raises(LeaseLostError, match="is not of ada any more"):
        lost.beat()
    with pytest.raises(JobCancelledError):
        cancelled.beat()
    for heartbeat in (lost, cancelled):
        with pytest.raises(LeaseLostError):
            heartbeat.report(HALF_WAY)


def test_a_catalog_may_be_away_for_as_long_as_the_lease(
    jobs: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = claim(jobs)
    short, long = Heartbeat(jobs, lease, lease_seconds=0.0), Heartbeat(jobs, lease, lease_seconds=60.0)

    def away(*arguments: Any, **options: Any) -> None:
        raise CatalogError("no server")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "heartbeat", away)
        long.beat()
        with pytest.raises(LeaseLostError, match="ran out of its lease of 0 s: no server"):
            short.beat()
    long.beat()
    long.report(HALF_WAY)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_that_diverged_is_hopeless(jobs: JobQueue, loss: float) -> None:
    heartbeat = Heartbeat(jobs, claim(jobs), 60.0)

    with pytest.raises(InputError, match="at step 5: lower prompt_rate or head_rate"):
        heartbeat.report(JobProgress("tune", 5, 10, loss))
