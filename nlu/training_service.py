"""The gRPC methods of TrainingService. Errors pass through to the boundary in `nlu.interceptors`.

The catalog is asked in other threads, so that parsing goes on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias
from urllib.parse import unquote

from nlu.caller import current_caller
from nlu.interceptors import Context
from nlu.training_upload import Upload
from nlu.training_wire import (
    read_limit,
    read_states,
    read_version_to_promote,
    write_job,
)
from nlu.v1 import training_pb2, training_pb2_grpc
from nlu.wire import write_version_ref
from skills.api_key import Scope
from skills.errors import InputError, NotReadyError, OverloadedError
from skills.formats.source import MAX_BYTES
from skills.job import Job, JobRequest
from skills.skill import LIVE, SkillRef
from skills.training_data import TrainingData
from storage.catalog import Catalog
from storage.growing import data_to_grow

MAX_UPLOADS = 2  # at a time: each may take a gigabyte of memory
UPLOAD_SECONDS = 600.0  # for an upload whose caller gives it no less
PART_SECONDS = 30.0  # for the next part of an upload; after that, its place is for others
WATCH_SECONDS = 0.5  # between looks at a job that is watched
RETRY_SECONDS = 5.0  # after which to try again where all uploads are taken

CheckTraining: TypeAlias = Callable[[JobRequest, TrainingData], None]


@dataclass(frozen=True)
class Training:
    """What the calls need.

    Args:
        catalog: with the jobs.
        check: raises InputError if a training would not run, without running it.
    """

    catalog: Catalog
    check: CheckTraining


class TrainingServicer(training_pb2_grpc.TrainingServiceServicer):
    """The methods are as the .proto says; they raise NotReadyError before `start` and after `stop`."""

    def __init__(self) -> None:
        self._training: Training | None = None
        self._stopping = asyncio.Event()
        self._uploads = asyncio.Semaphore(MAX_UPLOADS)
        self._reading: set[asyncio.Timeout] = set()

    def start(self, training: Training) -> None:
        """Answer from now on."""
        self._training = training

    def stop(self) -> None:
        """Refuse new calls, and end uploads and watches."""
        self._stopping.set()
        for reading in self._reading:
            if not reading.expired():
                reading.reschedule(0)

    async def SubmitTraining(
        self, requests: AsyncIterator[training_pb2.SubmitTrainingRequest], context: Context
    ) -> training_pb2.SubmitTrainingResponse:
        training = self._running()
        if self._uploads.locked():
            raise OverloadedError(
                f"{MAX_UPLOADS} uploads are under way already: try again", retry_after=RETRY_SECONDS
            )
        async with self._uploads:
            upload = await self._read(requests)
            job = await asyncio.to_thread(_submit, training, upload, _caller(context))
        return training_pb2.SubmitTrainingResponse(job=write_job(job))

    async def GetJob(
        self, request: training_pb2.GetJobRequest, context: Context
    ) -> training_pb2.GetJobResponse:
        job = await self._job(request.job_id)
        return training_pb2.GetJobResponse(job=write_job(job))

    async def ListJobs(
        self, request: training_pb2.ListJobsRequest, context: Context
    ) -> training_pb2.ListJobsResponse:
        if request.skill:
            current_caller().check_skill(request.skill)
        skills: list[str | None] = [request.skill] if request.skill else [*sorted(current_caller().skills)]
        states, limit = read_states(request.states), read_limit(request.limit)
        find = partial(self._running().catalog.jobs.list, states=states, limit=limit)
        found = [job for skill in skills or [None] for job in await asyncio.to_thread(find, skill=skill)]
        newest = sorted(found, key=lambda job: -job.id)[:limit]
        return training_pb2.ListJobsResponse(jobs=map(write_job, newest))

    async def WatchJob(self, request: training_pb2.WatchJobRequest, context: Context) -> None:
        before: Job | None = None
        while True:
            job = await self._job(request.job_id)
            if job != before:
                await context.write(training_pb2.WatchJobResponse(job=write_job(job)))
            if job.state.is_final:
                return
            before = job
            await self._pause(WATCH_SECONDS)

    async def CancelJob(
        self, request: training_pb2.CancelJobRequest, context: Context
    ) -> training_pb2.CancelJobResponse:
        await self._job(request.job_id)
        job = await asyncio.to_thread(
            self._running().catalog.jobs.cancel, request.job_id, by=_caller(context)
        )
        return training_pb2.CancelJobResponse(job=write_job(job))

    async def RetryJob(
        self, request: training_pb2.RetryJobRequest, context: Context
    ) -> training_pb2.RetryJobResponse:
        _check_request((await self._job(request.job_id)).request)
        job = await asyncio.to_thread(self._running().catalog.jobs.retry, request.job_id, by=_caller(context))
        return training_pb2.RetryJobResponse(job=write_job(job))

    async def PromoteVersion(
        self, request: training_pb2.PromoteVersionRequest, context: Context
    ) -> training_pb2.PromoteVersionResponse:
        ref, alias = read_version_to_promote(request.skill), request.alias or LIVE
        current_caller().check_skill(ref.name)
        promote = self._running().catalog.promote
        version = await asyncio.to_thread(promote, ref, alias, by=_caller(context))
        return training_pb2.PromoteVersionResponse(skill=write_version_ref(version))

    async def RollbackSkill(
        self, request: training_pb2.RollbackSkillRequest, context: Context
    ) -> training_pb2.RollbackSkillResponse:
        current_caller().check_skill(request.name)
        rollback, alias = self._running().catalog.rollback, request.alias or LIVE
        version = await asyncio.to_thread(rollback, request.name, alias, by=_caller(context))
        return training_pb2.RollbackSkillResponse(skill=write_version_ref(version))

    async def DeleteSkill(
        self, request: training_pb2.DeleteSkillRequest, context: Context
    ) -> training_pb2.DeleteSkillResponse:
        current_caller().check_skill(request.name)
        await asyncio.to_thread(self._running().catalog.delete, request.name, by=_caller(context))
        return training_pb2.DeleteSkillResponse()

    def _running(self) -> Training:
        if self._training is None:
            raise NotReadyError("the server is starting: try again in a few seconds")
        if self._stopping.is_set():
            raise NotReadyError("the server is stopping: ask another one, or try again")
        return self._training

    async def _job(self, job_id: int) -> Job:
        """Return a job, if the caller may use its skill."""
        job = await asyncio.to_thread(self._running().catalog.jobs.get, job_id)
        current_caller().check_skill(job.request.skill)
        return job

    async def _read(self, requests: AsyncIterator[training_pb2.SubmitTrainingRequest]) -> Upload:
        """Read an upload to its end, or until the server stops."""
        try:
            async with asyncio.timeout(UPLOAD_SECONDS) as reading:
                self._reading.add(reading)
                upload = Upload(await _next(requests) or training_pb2.SubmitTrainingRequest())
                _check_request(upload.request)
                while (part := await _next(requests)) is not None:
                    await asyncio.to_thread(upload.add, part)
                return upload
        except TimeoutError:
            self._running()  # raises if the server stops
            raise
        finally:
            self._reading.discard(reading)

    async def _pause(self, seconds: float) -> None:
        """Wait, though not for longer than the server runs."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


async def _next(
    requests: AsyncIterator[training_pb2.SubmitTrainingRequest],
) -> training_pb2.SubmitTrainingRequest | None:
    async with asyncio.timeout(PART_SECONDS):
        return await anext(aiter(requests), None)


def _submit(training: Training, upload: Upload, by: str) -> Job:
    """Check what was uploaded as a whole, and queue it."""
    whole = upload.finish()
    request, data = _fitted(training.catalog, whole.request, whole.data)
    training.check(request, data)
    rows = data.to_bytes()
    if len(rows) > MAX_BYTES:
        raise InputError(
            f"the examples are {len(rows):,} bytes as stored, at most {MAX_BYTES:,} are allowed: send a part",
            field="batch",
        )
    job = training.catalog.jobs.submit(request, rows, priority=whole.priority, key=whole.key, by=by)
    current_caller().check_skill(job.request.skill)  # the idempotency key may be that of another caller's job
    return job


def _check_request(request: JobRequest) -> None:
    """Check that the caller may have this trained.

    Raises:
        AccessError: a skill in it is not the caller's, or the version would get an alias without ADMIN.
    """
    caller = current_caller()
    caller.check_skill(request.skill)
    if request.grown_from:
        caller.check_skill(SkillRef.parse(request.grown_from).name)
    if request.alias is not None:
        caller.check_scope(Scope.ADMIN, f"a training whose version becomes {request.alias!r}")


def _fitted(catalog: Catalog, request: JobRequest, data: TrainingData) -> tuple[JobRequest, TrainingData]:
    """Check a request against what is in the catalog.

    Of a skill that grows, the version that it starts from is then a number, and its rows are added.
    """
    versions = catalog.versions(request.skill)
    if versions and versions[0].kind is not request.kind:
        raise InputError(
            f"skill {request.skill!r} is of kind {versions[0].kind}, not {request.kind}: use another name",
            field="spec.kind",
        )
    if not request.grown_from:
        return request, data
    parent = catalog.get(SkillRef.parse(request.grown_from))
    if parent.kind is not request.kind:
        raise InputError(
            f"{parent} is of kind {parent.kind}, not {request.kind}: start from one of that kind",
            field="spec.grown_from",
        )
    return replace(request, grown_from=str(parent)), data_to_grow(catalog, parent, data)


def _caller(context: Context) -> str:
    """Return who calls: the name of the API key, or else the address."""
    name = current_caller().name
    return f"key:{name}" if name else f"grpc:{unquote(context.peer())}"
