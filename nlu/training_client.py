"""The client of TrainingService, for threads.

    with TrainingClient("127.0.0.1:50051") as client:
        spec = TrainingSpec("concierge", SkillKind.INTENT, settings={"epochs": "10"})
        job = client.wait(client.submit(spec, [Example("I lost my card", intent="lost_card"), ...]).id)

Errors are those of `nlu.client_errors`. Calls that only read are tried four times in all while no server is
there; the others are not, for they may have had their effect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from nlu.client_connection import Tls
from nlu.client_errors import (
    ClientError,
    DeadlineError,
    InvalidRequestError,
    OverloadedError,
    UnavailableError,
    UnknownJobError,
    UnknownSkillError,
)
from nlu.client_thread import ThreadClient
from nlu.client_types import SkillKind, SkillVersion
from nlu.client_wire import read_version, write_ref
from nlu.training_client_types import (
    Example,
    ExampleSlot,
    Gates,
    Job,
    JobProgress,
    JobState,
    PhraseKind,
    PhraseList,
    TrainingSpec,
)
from nlu.training_client_wire import UploadMessages, read_job, read_jobs, write_list, write_start
from nlu.v1 import training_pb2, training_pb2_grpc

__all__ = [
    "ClientError",
    "DeadlineError",
    "Example",
    "ExampleSlot",
    "Gates",
    "InvalidRequestError",
    "Job",
    "JobProgress",
    "JobState",
    "OverloadedError",
    "PhraseKind",
    "PhraseList",
    "SkillKind",
    "SkillVersion",
    "Tls",
    "TrainingClient",
    "TrainingSpec",
    "UnavailableError",
    "UnknownJobError",
    "UnknownSkillError",
]

TIMEOUT = 30.0  # s; nobody waits in a dialog, and a catalog may be busy
SUBMIT_TIMEOUT = 600.0  # s, for all examples; the server gives no more


class TrainingClient(ThreadClient):
    """The client of TrainingService, see `ThreadClient`.

    Raises:
        ClientError: from every method.
    """

    def __init__(
        self, address: str, *, timeout: float | None = TIMEOUT, tls: Tls | None = None, api_key: str = ""
    ) -> None:
        super().__init__(address, timeout=timeout, tls=tls, api_key=api_key)
        self._stub = training_pb2_grpc.TrainingServiceStub(self._channel)

    def submit(
        self,
        spec: TrainingSpec,
        examples: Iterable[Example],
        *,
        dev: Iterable[Example] = (),
        phrases: Iterable[PhraseList] = (),
        slot_kinds: Mapping[str, str] | None = None,
        priority: int = 0,
        idempotency_key: str = "",
        timeout: float = SUBMIT_TIMEOUT,
    ) -> Job:
        """Queue a training of `examples`, held-out ones in `dev`; without, a share of them is held out.

        phrases and slot_kinds ("date", "number", …; "text" if not said) tell what values of slots are. Of
        waiting jobs, one of the highest priority goes first. Submissions with the same key, of at most 64
        characters, are one job: after an UnavailableError, send it again with the same key.

        Raises:
            Exception: what iterating over the examples raises; nothing is queued then.
        """
        start = write_start(
            spec, slot_kinds=slot_kinds or {}, priority=priority, idempotency_key=idempotency_key
        )
        messages = UploadMessages(start, examples, dev, phrases)
        try:
            return self._call(self._stub.SubmitTraining, iter(messages), read_job, timeout)
        except ClientError:
            if messages.error is not None:
                raise messages.error from None
            raise

    def get_job(self, job_id: int, *, timeout: float | None = None) -> Job:
        """Return a job."""
        return self._job(self._stub.GetJob, training_pb2.GetJobRequest, job_id, timeout)

    def list_jobs(
        self,
        *,
        skill: str = "",
        states: Iterable[JobState] = (),
        limit: int = 100,
        timeout: float | None = None,
    ) -> list[Job]:
        """Return the newest jobs, of one skill or of all, newest first; without `states`, in any state."""
        return self._call(self._stub.ListJobs, write_list(skill, states, limit), read_jobs, timeout)

    def watch_job(self, job_id: int, *, timeout: float | None = None) -> Iterator[Job]:
        """Return a job now and whenever its state or progress has changed, until it has ended."""
        request = _request(training_pb2.WatchJobRequest, job_id)
        return self._stream(self._stub.WatchJob, request, read_job, timeout)

    def wait(self, job_id: int, *, timeout: float | None = None) -> Job:
        """Return a job after it has ended.

        Raises:
            UnavailableError: the server has stopped meanwhile; the job goes on: wait again.
        """
        return deque(self.watch_job(job_id, timeout=timeout), maxlen=1)[0]

    def cancel_job(self, job_id: int, *, timeout: float | None = None) -> Job:
        """Cancel a job; one that is running ends at its worker's next heartbeat: wait for it."""
        return self._job(self._stub.CancelJob, training_pb2.CancelJobRequest, job_id, timeout)

    def retry_job(self, job_id: int, *, timeout: float | None = None) -> Job:
        """Queue a job again that has failed or was cancelled."""
        return self._job(self._stub.RetryJob, training_pb2.RetryJobRequest, job_id, timeout)

    def promote(self, skill: str, *, alias: str = "live", timeout: float | None = None) -> SkillVersion:
        """Let an alias name `name@3` or `name@candidate`, whatever its metrics are, and return that."""
        request = training_pb2.PromoteVersionRequest(skill=write_ref(skill), alias=alias)
        return self._call(self._stub.PromoteVersion, request, _read_skill, timeout)

    def rollback(self, name: str, *, alias: str = "live", timeout: float | None = None) -> SkillVersion:
        """Let an alias name the version that it named before, and return that."""
        request = training_pb2.RollbackSkillRequest(name=name, alias=alias)
        return self._call(self._stub.RollbackSkill, request, _read_skill, timeout)

    def delete(self, name: str, *, timeout: float | None = None) -> None:
        """Delete a skill; for some days `softspoken skills restore` brings it back."""
        request = training_pb2.DeleteSkillRequest(name=name)
        self._call(self._stub.DeleteSkill, request, lambda response: None, timeout)

    def _job(self, method: Any, kind: Any, job_id: int, timeout: float | None) -> Job:
        return self._call(method, _request(kind, job_id), read_job, timeout)


def _request(kind: Any, job_id: int) -> Any:
    """Return the message about a job.

    Raises:
        InvalidRequestError: no job can have the id.
    """
    try:
        return kind(job_id=job_id)
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"no job can have the id {job_id!r}: {error}", field="job") from error


def _read_skill(response: Any) -> SkillVersion:
    return read_version(response.skill)
