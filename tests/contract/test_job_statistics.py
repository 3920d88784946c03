"""How the queue is doing, on every database."""

from __future__ import annotations

from skills.job import Job, JobState
from storage.catalog import Catalog
from storage.job_statistics import EndedJob
from tests.contract.job_steps import claimed, submit


def ended(job: Job) -> EndedJob:
    assert job.finished_at is not None
    begun = job.started_at or job.finished_at
    return EndedJob(job.id, job.state, job.finished_at, (job.finished_at - begun).total_seconds())


def test_an_empty_queue_has_no_jobs_in_any_state(catalog: Catalog) -> None:
    found = catalog.jobs.statistics()
    assert found.counts == dict.fromkeys(JobState, 0)
    assert (found.waiting, found.ended) == (0.0, frozenset())


def test_jobs_by_state_what_waits_and_what_has_ended(catalog: Catalog) -> None:
    jobs = catalog.jobs
    first = jobs.statistics()
    submit(jobs)
    failed = jobs.fail(claimed(jobs), "broken", retry=False)
    submit(jobs)
    cancelled = jobs.cancel(submit(jobs).id)

    found = jobs.statistics(first.at)
    again = jobs.statistics(found.at)

    assert {state: count for state, count in found.counts.items() if count} == {
        JobState.FAILED: 1,
        JobState.QUEUED: 1,
        JobState.CANCELLED: 1,
    }
    assert 0 < found.waiting < 60
    assert found.ended - first.ended == {ended(failed), ended(jobs.get(cancelled.id))}
    assert again.ended == found.ended  # told again, and so not missed if one was being written
    assert again.at > found.at
