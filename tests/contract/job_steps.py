"""Steps that the tests of the queue share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from skills.job import Job, JobRequest, Lease
from skills.skill import SkillKind
from storage.jobs import JobQueue

Execute: TypeAlias = Callable[..., Sequence[Any]]
OUT = -1.0  # seconds of a lease that has run out already


def request(skill: str = "banking") -> JobRequest:
    """Return what a job asks for."""
    return JobRequest(skill, SkillKind.INTENT, {"epochs": 3}, gates={"accuracy": 0.5})


def submit(jobs: JobQueue, data: bytes = b"rows", **options: Any) -> Job:
    """Submit a job for `banking`."""
    return jobs.submit(request(), data, **options)


def claimed(jobs: JobQueue, worker: str = "ada", **options: Any) -> Lease:
    """Claim a job that must be there."""
    lease = jobs.claim(worker, **options)
    assert lease is not None
    return lease


def blobs(execute: Execute) -> int:
    """Return how many blobs there are; all have chunks."""
    [(count,)] = execute("SELECT count(*) FROM blobs")
    [(owners,)] = execute("SELECT count(DISTINCT sha256) FROM blob_chunks")
    assert owners == count
    return int(count)
