"""The queue against a model of it, through any sequence of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from skills.errors import InputError, LeaseLostError
from skills.job import JobProgress, JobState, Lease
from skills.skill import SkillDraft
from storage.catalog import Catalog
from storage.database import Database
from storage.jobs import BACK_OFF, LEASE_SECONDS
from tests.contract.job_steps import submit

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]
ATTEMPTS = 3


@dataclass
class Clock:
    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Expected:
    """What a job should be."""

    id: int
    priority: int
    due: datetime
    state: JobState = JobState.QUEUED
    attempts: int = 0
    lease_until: datetime | None = None
    holder: Lease | None = None
    is_cancelled: bool = False

    def end(self, state: JobState) -> None:
        self.state, self.lease_until, self.holder = state, None, None

    def put_back(self, due: datetime) -> None:
        if self.is_cancelled:
            self.end(JobState.CANCELLED)
        else:
            self.end(JobState.QUEUED)
            self.due = due


class Queue(RuleBasedStateMachine):
    def __init__(self, catalog: Catalog, clock: Clock, draft: SkillDraft) -> None:
        super().__init__()
        self.catalog, self.clock, self.draft = catalog, clock, draft
        self.jobs: dict[int, Expected] = {}
        self.leases: list[Lease] = []
        self.versions = len(catalog.versions())

    @rule(priority=st.integers(0, 1))
    def submit(self, priority: int) -> None:
        job = submit(self.catalog.jobs, priority=priority)
        self.jobs[job.id] = Expected(job.id, priority, self.clock.now)

    @rule(seconds=st.sampled_from([1.0, 11.0, LEASE_SECONDS + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    @rule()
    def claim(self) -> None:
        for job in self.jobs.values():
            if self.is_lost(job) and (job.is_cancelled or job.attempts == ATTEMPTS):
                job.end(JobState.CANCELLED if job.is_cancelled else JobState.FAILED)
        free = [job for job in self.jobs.values() if self.is_lost(job) or self.is_due(job)]
        lease = self.catalog.jobs.claim("worker")
        if lease is None:
            assert not free
            return
        job = min(free, key=lambda job: (-job.priority, job.id))
        assert lease.job.id == job.id
        job.state, job.holder = JobState.RUNNING, lease
        job.attempts += 1
        job.lease_until = self.clock.now + timedelta(seconds=LEASE_SECONDS)
        self.leases.append(lease)

    @rule(
        data=st.data(),
        step=st.sampled_from(["heartbeat", "checkpoint", "retry", "fail", "release", "publish"]),
    )
    def use_a_lease(self, data: st.DataObject, step: str) -> None:
        if not self.leases:
            return
        lease = data.draw(st.sampled_from(self.leases[-4:]))
        job, jobs = self.jobs[lease.job.id], self.catalog.jobs
        steps: dict[str, Callable[[], object]] = {
            "heartbeat": lambda: jobs.heartbeat(lease, JobProgress()),
            "checkpoint": lambda: jobs.save_checkpoint(lease, b"%d" % (job.attempts % 2)),
            "retry": lambda: jobs.fail(lease, "broken", retry=True),
            "fail": lambda: jobs.fail(lease, "broken", retry=False),
            "release": lambda: jobs.release(lease),
            "publish": lambda: self.catalog.publish(self.draft, lease=lease),
        }
        if job.holder is not lease or (step == "heartbeat" and job.is_cancelled):
            with pytest.raises(LeaseLostError):
                steps[step]()
            if job.holder is lease:
                job.end(JobState.CANCELLED)
            return
        steps[step]()
        self.expect(job, step)

    def expect(self, job: Expected, step: str) -> None:
        if step == "heartbeat":
            job.lease_until = self.clock.now + timedelta(seconds=LEASE_SECONDS)
        elif step == "release":
            job.attempts -= 0 if job.is_cancelled else 1
            job.put_back(self.clock.now)
        elif step == "retry" and job.attempts < ATTEMPTS:
            job.put_back(self.clock.now + BACK_OFF * 2 ** (job.attempts - 1))
        elif step in ("fail", "retry"):
            job.end(JobState.CANCELLED if job.is_cancelled else JobState.FAILED)
        elif step == "publish":
            job.end(JobState.SUCCEEDED)

    @rule(data=st.data(), step=st.sampled_from(["cancel", "retry"]))
    def ask(self, data: st.DataObject, step: str) -> None:
        if not self.jobs:
            return
        job = data.draw(st.sampled_from(list(self.jobs.values())))
        act = self.catalog.jobs.cancel if step == "cancel" else self.catalog.jobs.retry
        wrong = (
            job.state.is_final if step == "cancel" else job.state not in (JobState.FAILED, JobState.CANCELLED)
        )
        if wrong:
            with pytest.raises(InputError):
                act(job.id)
            return
        act(job.id)
        job.is_cancelled = step == "cancel"
        if step == "retry":
            job.attempts = 0
            job.put_back(self.clock.now)
        elif job.state is JobState.QUEUED or self.is_lost(job):
            job.end(JobState.CANCELLED)

    def is_lost(self, job: Expected) -> bool:
        return job.lease_until is not None and job.lease_until < self.clock.now

    def is_due(self, job: Expected) -> bool:
        return job.state is JobState.QUEUED and job.due <= self.clock.now

    @invariant()
    def as_expected(self) -> None:
        found = {job.id: (job.state, job.attempts) for job in self.catalog.jobs.list()}
        assert found == {job.id: (job.state, job.attempts) for job in self.jobs.values()}

    def teardown(self) -> None:
        succeeded = [job for job in self.jobs.values() if job.state is JobState.SUCCEEDED]
        assert len(self.catalog.versions()) - self.versions == len(succeeded)


def test_any_sequence_of_steps(
    catalog: Catalog, make_draft: MakeDraft, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(Database, "now", lambda _database, _session: clock.now)

    def make() -> Queue:
        execute("DELETE FROM jobs")
        return Queue(catalog, clock, make_draft())

    run_state_machine_as_test(
        make,  # type: ignore[arg-type] # any callable that makes one will do
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
