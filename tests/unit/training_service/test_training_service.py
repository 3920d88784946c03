"""Jobs and versions over TrainingService."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from nlu.training_client import (
    Example,
    InvalidRequestError,
    Job,
    JobProgress,
    JobState,
    TrainingClient,
    TrainingSpec,
    UnavailableError,
    UnknownJobError,
    UnknownSkillError,
)
from nlu.v1 import training_pb2
from skills.errors import JobCancelledError
from skills.job import JobProgress as Progress
from skills.skill import SkillDraft

MakeDraft = Callable[..., SkillDraft]
WORKER = "worker 1"

JOB_CALLS: dict[str, Callable[[TrainingClient, int], object]] = {
    "get": TrainingClient.get_job,
    "watch": lambda client, job_id: list(client.watch_job(job_id)),
    "wait": TrainingClient.wait,
    "cancel": TrainingClient.cancel_job,
    "retry": TrainingClient.retry_job,
}


@pytest.mark.parametrize("call", JOB_CALLS)
def test_an_unknown_job_is_an_error_that_says_so(server: Any, call: str) -> None:
    with pytest.raises(UnknownJobError, match="no job 7; there are none") as raised:
        JOB_CALLS[call](server.client, 7)
    assert raised.value.field == "job"


def test_an_unknown_job_has_its_reason_for_other_clients(server: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        server.stub.GetJob(training_pb2.GetJobRequest(job_id=7))
    error: Any = raised.value
    status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info = ErrorInfo()
    assert any(each.Unpack(info) for each in status.details)
    assert (error.code(), info.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_JOB")


def test_an_id_that_no_job_can_have_is_not_sent(server: Any) -> None:
    with pytest.raises(InvalidRequestError, match="-1"):
        server.client.get_job(-1)


def test_a_server_that_is_not_ready_says_so(serve: Callable[..., AbstractContextManager[Any]]) -> None:
    with serve(ready=False) as server, pytest.raises(UnavailableError, match="starting"):
        server.client.list_jobs()


def test_jobs_are_listed_by_skill_and_state_newest_first(
    server: Any, spec: TrainingSpec, examples: list[Example]
) -> None:
    first = server.client.submit(spec, examples)
    second = server.client.submit(replace(spec, skill="other"), examples, priority=3)
    server.catalog.jobs.claim(WORKER)  # takes the one of the higher priority

    assert [job.id for job in server.client.list_jobs()] == [second.id, first.id]
    assert [job.id for job in server.client.list_jobs(limit=1)] == [second.id]
    assert server.client.list_jobs(skill="concierge") == [first]
    (running,) = server.client.list_jobs(states=[JobState.RUNNING, JobState.FAILED])
    assert (running.id, running.worker, running.priority) == (second.id, WORKER, 3)


@pytest.mark.parametrize(("field", "value"), [("limit", 1001), ("states", [99])])
def test_a_list_out_of_bounds_is_refused(server: Any, field: str, value: Any) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        server.stub.ListJobs(training_pb2.ListJobsRequest(**{field: value}))
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_state_that_cannot_be_asked_for_is_not_sent(server: Any) -> None:
    with pytest.raises(InvalidRequestError, match="unspecified"):
        server.client.list_jobs(states=[JobState.UNSPECIFIED])


def test_a_watch_tells_of_every_change_until_the_job_is_cancelled(
    server: Any, spec: TrainingSpec, examples: list[Example]
) -> None:
    jobs: Iterator[Job] = server.client.watch_job(server.client.submit(spec, examples).id)
    queued = next(jobs)
    assert (queued.state, queued.progress.dev_score, queued.started_at) == (JobState.QUEUED, None, None)

    lease = server.catalog.jobs.claim(WORKER)
    running = next(jobs)
    assert (running.state, running.attempts, running.worker) == (JobState.RUNNING, 1, WORKER)
    assert running.started_at is not None

    server.catalog.jobs.heartbeat(lease, Progress("tune", 20, 100, 0.5, 0.75, "accuracy", 12.5))
    assert next(jobs).progress == JobProgress("tune", 20, 100, 0.5, 0.75, "accuracy", 12.5)

    assert server.client.cancel_job(queued.id).is_cancel_requested
    assert next(jobs).is_cancel_requested
    with pytest.raises(JobCancelledError):
        server.catalog.jobs.heartbeat(lease, Progress())
    (last,) = jobs
    assert (last.state, last.reason) == (JobState.CANCELLED, f"cancelled while {WORKER} ran it")
    assert server.client.wait(queued.id) == last


def test_a_watch_ends_when_the_server_stops(server: Any, spec: TrainingSpec, examples: list[Example]) -> None:
    jobs = server.client.watch_job(server.client.submit(spec, examples).id)
    next(jobs)
    server.stop()
    with pytest.raises(UnavailableError, match="stopping"):
        next(jobs)


def test_a_cancelled_job_can_be_queued_again(
    server: Any, spec: TrainingSpec, examples: list[Example]
) -> None:
    job = server.client.submit(spec, examples)
    cancelled = server.client.cancel_job(job.id)
    assert (cancelled.state, cancelled.finished_at is None) == (JobState.CANCELLED, False)
    with pytest.raises(InvalidRequestError, match="ended already"):
        server.client.cancel_job(job.id)

    again = server.client.retry_job(job.id)
    assert (again.state, again.is_cancel_requested, again.finished_at) == (JobState.QUEUED, False, None)
    with pytest.raises(InvalidRequestError, match="nothing to retry"):
        server.client.retry_job(job.id)


def test_a_published_version_is_in_the_job(
    server: Any, spec: TrainingSpec, examples: list[Example], make_draft: MakeDraft
) -> None:
    job = server.client.submit(spec, examples)
    assert job.version is None
    lease = server.catalog.jobs.claim(WORKER)
    server.catalog.publish(make_draft(), lease=lease, reason="accuracy is 0.5, at least 0.9 is needed")
    done = server.client.wait(job.id)
    assert (done.state, done.version) == (JobState.SUCCEEDED, 1)
    assert done.reason.startswith("accuracy is 0.5")


def test_an_alias_is_moved_back_and_forth_and_the_log_knows_who_did_it(
    server: Any, make_draft: MakeDraft
) -> None:
    first, second = (server.catalog.publish(make_draft(tensors=tensors)) for tensors in (b"1", b"2"))
    assert server.client.promote("concierge@1").version == 1
    promoted = server.client.promote("concierge@2")
    assert (promoted.name, promoted.version, promoted.sha256) == ("concierge", 2, second.sha256)
    assert server.client.promote("concierge@live", alias="candidate").version == 2
    assert server.client.rollback("concierge").sha256 == first.sha256
    server.client.delete("concierge")
    assert server.catalog.versions("concierge") == []

    done = [entry for entry in server.catalog.audit() if entry.action != "publish"]
    assert {entry.action for entry in done} == {"promote", "rollback", "delete"}
    assert all(entry.by.startswith("grpc:ipv4:127.0.0.1:") for entry in done)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.promote("nobody@1"),
        lambda client: client.rollback("nobody"),
        lambda client: client.delete("nobody"),
    ],
)
def test_an_unknown_skill_is_an_error(server: Any, call: Callable[[TrainingClient], object]) -> None:
    with pytest.raises(UnknownSkillError, match="nobody"):
        call(server.client)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda client: client.promote("concierge"), "skill.version"),
        (lambda client: client.promote("No Name@1"), "skill.name"),
        (lambda client: client.promote("concierge@1", alias="7"), "alias"),
        (lambda client: client.rollback("concierge", alias="stable"), "alias"),
    ],
)
def test_a_wrong_version_or_alias_is_named(
    server: Any, make_draft: MakeDraft, call: Callable[[TrainingClient], object], field: str
) -> None:
    server.catalog.publish(make_draft(), alias="stable")
    with pytest.raises(InvalidRequestError) as raised:
        call(server.client)
    assert raised.value.field == field
