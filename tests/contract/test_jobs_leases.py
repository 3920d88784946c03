"""Leases: who lost one can do nothing; a job is published once; checkpoints are handed on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, TypeAlias

import pytest

from skills.errors import InputError, LeaseLostError
from skills.job import JobProgress, JobState, Lease
from skills.skill import SkillDraft, SkillKind, SkillRef
from storage.catalog import Catalog
from storage.jobs import JobQueue
from tests.contract.job_steps import OUT, blobs, claimed, submit

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]


@pytest.fixture
def jobs(catalog: Catalog) -> JobQueue:
    return catalog.jobs


class TestLease:
    def test_taken_over_when_it_runs_out(self, jobs: JobQueue) -> None:
        submit(jobs)
        first = claimed(jobs, "ada", lease_seconds=OUT)
        second = claimed(jobs, "grace")
        assert (second.job.id, second.job.attempts, second.job.worker) == (first.job.id, 2, "grace")
        assert second.token > first.token
        assert second.job.started_at == first.job.started_at
        assert jobs.claim("ada") is None

    def test_a_heartbeat_keeps_it(self, jobs: JobQueue) -> None:
        submit(jobs)
        lease = claimed(jobs, lease_seconds=OUT)
        progress = JobProgress("tune", 3, 10, 0.5, 0.875, "accuracy", 7.0)
        jobs.heartbeat(lease, progress)
        assert jobs.claim("grace") is None
        assert jobs.get(1).progress == progress
        jobs.heartbeat(lease, progress, lease_seconds=OUT)
        assert claimed(jobs, "grace").job.progress == progress

    def test_numbers_that_are_not_finite_do_not_end_it(self, jobs: JobQueue) -> None:
        submit(jobs)
        lease = claimed(jobs)
        jobs.heartbeat(lease, JobProgress("tune", 3, 10, float("nan"), float("-inf"), "f1", float("inf")))
        assert jobs.get(1).progress == JobProgress("tune", 3, 10, 0.0, None, "f1", None)

    def test_on_a_server_only_its_clock_counts(
        self, jobs: JobQueue, url: str, execute: Execute, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if url.startswith("sqlite"):
            pytest.skip("SQLite has no clock but the machine's")

        class Wrong(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Wrong:
                return cls(2001, 1, 1, tzinfo=UTC)

        monkeypatch.setattr("storage.database.datetime", Wrong)
        monkeypatch.setattr("storage.jobs.LEASE_SECONDS", 60.0)
        submit(jobs)
        lease = claimed(jobs, lease_seconds=60)
        left = "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM jobs"
        [(seconds,)] = execute(left)
        assert 0 < seconds <= 60
        jobs.heartbeat(lease, JobProgress(), lease_seconds=600)
        [(seconds,)] = execute(left)
        assert 60 < seconds <= 600
        assert jobs.get(1).submitted_at.year > 2001

    @pytest.fixture
    def lost(self, jobs: JobQueue, how: str) -> Lease:
        """A lease that its worker does not know to be lost."""
        submit(jobs)
        lease = claimed(jobs, "ada", lease_seconds=OUT)
        if how == "taken over":
            claimed(jobs, "grace")
        elif how == "failed":
            jobs.fail(lease, "broken", retry=False)
        elif how == "released":
            jobs.release(lease)
        elif how == "cancelled":
            jobs.cancel(1)
        elif how == "taken over by itself":
            claimed(jobs, "ada")
        return lease

    @pytest.mark.parametrize("how", ["taken over", "taken over by itself", "failed", "released", "cancelled"])
    def test_who_lost_it_can_do_nothing(
        self, catalog: Catalog, lost: Lease, how: str, make_draft: MakeDraft, execute: Execute
    ) -> None:
        jobs, before, audit = catalog.jobs, catalog.jobs.get(1), catalog.audit()
        acts: list[Callable[[], object]] = [
            lambda: jobs.heartbeat(lost, JobProgress(step=9)),
            lambda: jobs.save_checkpoint(lost, b"of a zombie"),
            lambda: jobs.fail(lost, "zombie", retry=True),
            lambda: jobs.fail(lost, "zombie", retry=False),
            lambda: jobs.release(lost),
            lambda: catalog.publish(make_draft(), alias="live", lease=lost),
        ]
        for act in acts:
            with pytest.raises(LeaseLostError, match="job 1 is not of ada any more"):
                act()
        assert jobs.get(1) == before
        assert (catalog.revision(), catalog.versions(), catalog.audit()) == (0, [], audit)
        assert blobs(execute) == 1  # the job's rows

    def test_a_purged_job_is_lost(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        catalog.publish(make_draft())
        submit(catalog.jobs)
        lease = claimed(catalog.jobs)
        catalog.jobs.fail(lease, "broken", retry=False)
        catalog.delete("banking")
        catalog.purge(timedelta(0))
        with pytest.raises(LeaseLostError, match="job 1 is gone: its skill was purged"):
            catalog.jobs.heartbeat(lease, JobProgress())


class TestPublish:
    def test_ends_the_job(self, catalog: Catalog, make_draft: MakeDraft, execute: Execute) -> None:
        submit(catalog.jobs)
        lease = claimed(catalog.jobs)
        catalog.jobs.save_checkpoint(lease, b"state")
        version = catalog.publish(make_draft(), alias="live", lease=lease, reason="gates")
        job = catalog.jobs.get(1)
        assert (job.state, job.version, job.reason) == (JobState.SUCCEEDED, version.version, "gates")
        assert job.finished_at is not None
        assert catalog.jobs.checkpoint(lease) is None
        assert blobs(execute) == 2  # rows and tensors
        assert catalog.dataset(version) == b"rows"
        assert catalog.dataset(catalog.publish(make_draft())) is None

    def test_only_once(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        submit(catalog.jobs)
        lease = claimed(catalog.jobs)
        barrier = Barrier(2)

        def publish(_: int) -> int | None:
            barrier.wait()
            try:
                return catalog.publish(make_draft(), alias="live", lease=lease).version
            except LeaseLostError:
                return None

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(publish, range(2)), key=str) == [1, None]
        assert [str(version) for version in catalog.versions()] == ["banking@1"]

    def test_not_at_all_when_anything_fails(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        catalog.publish(make_draft(kind=SkillKind.SLOTS))
        submit(catalog.jobs)
        lease = claimed(catalog.jobs)
        with pytest.raises(InputError, match="is of kind 'slots'"):
            catalog.publish(make_draft(), lease=lease)
        assert catalog.jobs.get(1) == lease.job

    def test_the_taker_over_publishes_and_the_zombie_does_not(
        self, catalog: Catalog, make_draft: MakeDraft
    ) -> None:
        submit(catalog.jobs)
        zombie = claimed(catalog.jobs, "ada", lease_seconds=OUT)
        catalog.jobs.save_checkpoint(zombie, b"half way")
        taker = claimed(catalog.jobs, "grace")
        assert catalog.jobs.checkpoint(taker) == b"half way"
        catalog.publish(make_draft(), alias="live", lease=taker)
        with pytest.raises(LeaseLostError, match="job 1 is not of ada any more: it is succeeded"):
            catalog.publish(make_draft(), alias="live", lease=zombie)
        assert catalog.get(SkillRef("banking")).version == 1


class TestSharedBlobs:
    def test_a_replaced_checkpoint_leaves_nothing_behind(self, jobs: JobQueue, execute: Execute) -> None:
        submit(jobs)
        lease = claimed(jobs)
        assert jobs.checkpoint(lease) is None
        for step in (1, 2, 2, 3):
            jobs.save_checkpoint(lease, b"step %d" % step)
            assert jobs.checkpoint(lease) == b"step %d" % step
            assert blobs(execute) == 2

    def test_a_damaged_checkpoint_is_none(self, jobs: JobQueue, execute: Execute) -> None:
        submit(jobs)
        lease = claimed(jobs)
        jobs.save_checkpoint(lease, b"state")
        execute("UPDATE blob_chunks SET data = :data", data=b"stat")
        assert jobs.checkpoint(lease) is None

    @pytest.mark.parametrize("state", [b"equal", b"rows", b"the tensors of banking"])
    def test_equal_bytes_serve_until_the_last_needs_them(
        self, catalog: Catalog, make_draft: MakeDraft, execute: Execute, state: bytes
    ) -> None:
        """A checkpoint may equal another job's, a data set, or a version's tensors."""
        jobs = catalog.jobs
        for _ in range(2):
            submit(jobs)
        first, second = claimed(jobs), claimed(jobs)
        for lease in (first, second):
            jobs.save_checkpoint(lease, state)
        jobs.save_checkpoint(first, b"next")
        assert jobs.checkpoint(second) == state
        version = catalog.publish(make_draft(), lease=first)
        assert jobs.checkpoint(second) == state
        catalog.publish(make_draft(), lease=second)
        assert jobs.data(second.job) == b"rows"
        assert catalog.tensors(version) == b"the tensors of banking"
        assert blobs(execute) == 2

    def test_equal_checkpoints_at_once(self, jobs: JobQueue, execute: Execute) -> None:
        for _ in range(4):
            submit(jobs)
        leases = [claimed(jobs) for _ in range(4)]
        barrier = Barrier(4)

        def save(lease: Lease) -> None:
            barrier.wait()
            for step in range(5):
                jobs.save_checkpoint(lease, b"%d" % step * 1000)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(save, leases))
        assert [jobs.checkpoint(lease) for lease in leases] == [b"4" * 1000] * 4
        assert blobs(execute) == 2
