"""The queue: order, attempts with back-off, cancellation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from threading import Barrier
from typing import Any, TypeAlias

import pytest

from skills.errors import CatalogError, InputError, JobCancelledError, LeaseLostError, UnknownJobError
from skills.job import JobProgress, JobState
from storage.catalog import Catalog
from storage.jobs import BACK_OFF, JobQueue
from storage.tables import JobRow
from tests.contract.job_steps import OUT, blobs, claimed, request, submit

Execute: TypeAlias = Callable[..., Sequence[Any]]


@pytest.fixture
def jobs(catalog: Catalog) -> JobQueue:
    return catalog.jobs


class TestSubmit:
    def test_what_is_submitted_comes_back(self, catalog: Catalog, jobs: JobQueue) -> None:
        job = submit(jobs, priority=3, key="k", by="grace")
        assert (job.request, job.state, job.priority) == (request(), JobState.QUEUED, 3)
        assert (job.submitted_by, job.attempts, job.version, job.progress) == (
            "grace",
            0,
            None,
            JobProgress(),
        )
        assert jobs.data(job) == b"rows"
        assert jobs.get(job.id) == job
        assert catalog.revision() == 0  # servers need not look

    def test_the_same_key_gives_the_same_job(self, jobs: JobQueue, execute: Execute) -> None:
        first, again = submit(jobs, key="k"), submit(jobs, b"others", key="k")
        assert again == first
        assert submit(jobs, key="l").id != first.id != submit(jobs).id != submit(jobs).id
        assert blobs(execute) == 1

    def test_the_same_key_and_rows_from_many_at_once(self, jobs: JobQueue, execute: Execute) -> None:
        barrier = Barrier(4)

        def run(number: int) -> int:
            barrier.wait()
            return submit(jobs, b"x" * 2_000_000, key="k" if number % 2 else "").id

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(run, range(4)))
        assert found[1] == found[3]
        assert len(set(found)) == 3
        assert blobs(execute) == 1

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"key": "k" * 65}, "idempotency key of 65 characters is not valid"),
            ({"key": "a\0b"}, "idempotency key of 3 characters"),
            ({"priority": 2**40}, "priority is 1099511627776, allowed are -1000 to 1000"),
        ],
    )
    def test_wrong_input(self, jobs: JobQueue, options: dict[str, Any], message: str) -> None:
        with pytest.raises(InputError, match=message):
            submit(jobs, **options)
        with pytest.raises(InputError, match="skill name 'Bank ing' is not valid"):
            jobs.submit(request("Bank ing"), b"")
        assert jobs.list() == []

    def test_list_is_newest_first(self, jobs: JobQueue) -> None:
        for skill in ("a", "b", "a"):
            jobs.submit(request(skill), b"")
        claimed(jobs)
        assert [job.id for job in jobs.list()] == [3, 2, 1]
        assert [job.id for job in jobs.list(limit=2)] == [3, 2]
        assert [job.id for job in jobs.list(skill="a")] == [3, 1]
        assert [job.id for job in jobs.list(states=[JobState.RUNNING])] == [1]
        assert [job.id for job in jobs.list(skill="a", states=[JobState.QUEUED])] == [3]

    @pytest.mark.parametrize("job_id", [0, -1, 7, 2**31, 10**30])
    def test_unknown_job(self, jobs: JobQueue, job_id: int) -> None:
        with pytest.raises(UnknownJobError, match=f"no job {job_id}; there are none"):
            jobs.get(job_id)
        submit(jobs)
        for act in (jobs.get, jobs.cancel, jobs.retry):
            with pytest.raises(UnknownJobError, match=f"no job {job_id}; the newest is 1"):
                act(job_id)


class TestClaim:
    def test_by_priority_and_then_by_age(self, jobs: JobQueue) -> None:
        ids = [submit(jobs, priority=priority).id for priority in (0, 5, -1, 5, 0)]
        found = [claimed(jobs).job.id for _ in ids]
        assert [ids.index(job_id) for job_id in found] == [1, 3, 0, 4, 2]
        assert jobs.claim("ada") is None

    def test_nothing_to_claim(self, jobs: JobQueue) -> None:
        assert jobs.claim("ada") is None

    def test_a_claimed_job_runs(self, jobs: JobQueue) -> None:
        submit(jobs)
        lease = claimed(jobs, "ada")
        assert lease.job == jobs.get(1)
        assert (lease.job.state, lease.job.worker, lease.job.attempts) == (JobState.RUNNING, "ada", 1)
        assert lease.job.started_at is not None

    def test_names_of_any_length(self, jobs: JobQueue) -> None:
        submit(jobs, by="b" * 500)
        assert claimed(jobs, "w" * 500).job.worker == "w" * 128
        assert jobs.get(1).submitted_by == "b" * 128

    def test_a_claimer_in_the_middle_of_it_keeps_nobody_waiting(self, catalog: Catalog, url: str) -> None:
        if url.startswith("sqlite"):
            pytest.skip("SQLite's writers take turns")
        for _ in range(2):
            submit(catalog.jobs)
        claimed(catalog.jobs, lease_seconds=OUT)
        with closing(Catalog.open(url)) as other, other._database.write() as session:
            session.connection().exec_driver_sql("SET LOCAL lock_timeout = '1s'")
            session.connection().exec_driver_sql("SELECT id FROM jobs WHERE id = 1 FOR UPDATE")
            assert claimed(catalog.jobs).job.id == 2
            assert catalog.jobs.claim("ada") is None
        assert claimed(catalog.jobs).job.id == 1

    def test_a_job_of_another_program_keeps_nobody_waiting(
        self, jobs: JobQueue, execute: Execute, caplog: pytest.LogCaptureFixture
    ) -> None:
        submit(jobs, priority=9)
        submit(jobs)
        execute("UPDATE jobs SET request = :request WHERE id = 1", request='{"kind": "telepathy"}')
        assert claimed(jobs).job.id == 2
        assert jobs.claim("ada") is None
        assert [job.id for job in jobs.list()] == [2]
        assert "job 1 cannot be read by this program" in caplog.text
        with pytest.raises(CatalogError, match=r"job 1 cannot be read .*telepathy.*: upgrade softspoken"):
            jobs.get(1)
        [(state, reason)] = execute("SELECT state, reason FROM jobs WHERE id = 1")
        assert (state, "telepathy" in reason) == ("failed", True)

    def test_damaged_rows_are_refused_until_submitted_again(self, jobs: JobQueue, execute: Execute) -> None:
        job = submit(jobs)
        execute("UPDATE blob_chunks SET data = :data", data=b"r0ws")
        with pytest.raises(UnknownJobError, match="rows of job 1 are gone or damaged: submit it again"):
            jobs.data(job)
        submit(jobs)
        assert jobs.data(job) == b"rows"


class TestAttempts:
    def due(self, execute: Execute) -> None:
        execute("UPDATE jobs SET not_before = submitted_at")

    def test_back_off_doubles_until_the_last_attempt_fails(self, jobs: JobQueue, execute: Execute) -> None:
        submit(jobs)
        waits = []
        for attempt in (1, 2):
            before = datetime.now(UTC)
            job = jobs.fail(claimed(jobs), f"reason {attempt}", retry=True)
            assert (job.state, job.reason, job.attempts) == (JobState.QUEUED, f"reason {attempt}", attempt)
            assert jobs.claim("ada") is None
            waits.append(self.not_before(jobs) - before)
            self.due(execute)
        assert BACK_OFF <= waits[0] < 2 * BACK_OFF <= waits[1] < 4 * BACK_OFF
        job = jobs.fail(claimed(jobs), "reason 3", retry=True)
        assert (job.state, job.reason, job.attempts) == (JobState.FAILED, "reason 3", 3)
        assert job.finished_at is not None
        assert jobs.claim("ada") is None

    def not_before(self, jobs: JobQueue) -> datetime:
        with jobs._database.read() as session:
            return session.query(JobRow).one().not_before

    def test_no_retry_of_what_cannot_get_better(self, jobs: JobQueue) -> None:
        submit(jobs)
        assert jobs.fail(claimed(jobs), "bad rows", retry=False).state is JobState.FAILED

    def test_silent_deaths_use_up_the_attempts(self, jobs: JobQueue) -> None:
        submit(jobs)
        other = submit(jobs, priority=-1)
        for attempt in (1, 2, 3):
            assert claimed(jobs, f"w{attempt}", lease_seconds=OUT).job.attempts == attempt
        assert claimed(jobs).job.id == other.id  # the poisoned one stops nobody
        job = jobs.get(1)
        assert (job.state, job.attempts) == (JobState.FAILED, 3)
        assert job.reason == "w3 stopped without a word in 3 attempts; was it killed, or out of memory?"
        assert job.finished_at is not None

    def test_release_does_not_count(self, jobs: JobQueue) -> None:
        submit(jobs)
        for _ in range(5):
            jobs.release(claimed(jobs, "ada"))
        job = jobs.get(1)
        assert (job.state, job.attempts, job.reason) == (JobState.QUEUED, 0, "ada stopped")

    @pytest.mark.parametrize(
        ("reason", "stored"),
        [("a\0b", "ab"), ("half \ud83d", "half ?"), ("x" * 9999, "x" * 2000), ("größer 😀", "größer 😀")],
    )
    def test_a_reason_of_any_origin(self, jobs: JobQueue, reason: str, stored: str) -> None:
        submit(jobs)
        assert jobs.fail(claimed(jobs), reason, retry=True).reason == stored
        assert jobs.get(1).reason == stored

    @pytest.mark.parametrize("ended", ["failed", "cancelled"])
    def test_retry_gives_all_attempts_again(self, jobs: JobQueue, ended: str) -> None:
        submit(jobs)
        lease = claimed(jobs)
        jobs.save_checkpoint(lease, b"state")
        if ended == "failed":
            jobs.fail(lease, "broken", retry=False)
        else:
            jobs.cancel(1)
            jobs.release(lease)
        job = jobs.retry(1)
        assert (job.state, job.attempts, job.finished_at) == (JobState.QUEUED, 0, None)
        again = claimed(jobs)
        assert (again.job.attempts, again.job.max_attempts, jobs.checkpoint(again)) == (1, 3, b"state")
        jobs.heartbeat(again, JobProgress())
        with pytest.raises(LeaseLostError):
            jobs.heartbeat(lease, JobProgress())
        with pytest.raises(InputError, match="job 1 is running: nothing to retry"):
            jobs.retry(1)

    def test_begin_is_one_attempt_that_nobody_else_claims(self, jobs: JobQueue) -> None:
        lease = jobs.begin(request(), b"rows", "here")
        assert (lease.job.state, lease.job.worker, lease.job.attempts) == (JobState.RUNNING, "here", 1)
        assert jobs.claim("ada") is None
        jobs.heartbeat(lease, JobProgress(), lease_seconds=OUT)
        assert jobs.claim("ada") is None
        assert jobs.get(1).reason.startswith("here stopped without a word in the only attempt")
        jobs.retry(1)
        assert claimed(jobs).job.max_attempts == 3
        with pytest.raises(InputError, match="skill name"):
            jobs.begin(request("?"), b"rows", "here")


class TestCancel:
    def test_queued(self, jobs: JobQueue) -> None:
        submit(jobs)
        job = jobs.cancel(1)
        assert (job.state, job.reason) == (JobState.CANCELLED, "cancelled")
        assert job.finished_at is not None
        assert jobs.claim("ada") is None

    def test_running_ends_at_the_heartbeat(self, jobs: JobQueue) -> None:
        submit(jobs)
        lease = claimed(jobs, "ada")
        job = jobs.cancel(1)
        assert (job.state, job.is_cancel_requested) == (JobState.RUNNING, True)
        with pytest.raises(JobCancelledError, match="job 1 was cancelled"):
            jobs.heartbeat(lease, JobProgress())
        assert (jobs.get(1).state, jobs.get(1).reason) == (JobState.CANCELLED, "cancelled while ada ran it")

    @pytest.mark.parametrize("how", ["fail", "release"])
    def test_running_is_not_put_back(self, jobs: JobQueue, how: str) -> None:
        submit(jobs)
        lease = claimed(jobs, "ada")
        jobs.cancel(1)
        jobs.fail(lease, "broken", retry=True) if how == "fail" else jobs.release(lease)
        assert jobs.get(1).state is JobState.CANCELLED

    def test_dead_worker_before(self, jobs: JobQueue) -> None:
        submit(jobs)
        claimed(jobs, lease_seconds=OUT)
        assert jobs.cancel(1).state is JobState.CANCELLED

    def test_dead_worker_after(self, jobs: JobQueue) -> None:
        submit(jobs)
        lease = claimed(jobs, "ada")
        jobs.heartbeat(lease, JobProgress())
        assert jobs.cancel(1).state is JobState.RUNNING
        lost(jobs)
        assert jobs.claim("grace") is None
        assert (jobs.get(1).state, jobs.get(1).reason) == (JobState.CANCELLED, "cancelled; ada was gone")

    def test_ended(self, jobs: JobQueue) -> None:
        submit(jobs)
        jobs.cancel(1)
        with pytest.raises(InputError, match="job 1 has ended already: it is cancelled"):
            jobs.cancel(1)


def lost(jobs: JobQueue) -> None:
    """Let all leases run out."""
    with jobs._database.write() as session:
        for row in session.query(JobRow):
            row.lease_until = datetime(2020, 1, 1, tzinfo=UTC)
