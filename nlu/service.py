"""The gRPC methods of NluService. Errors pass through to the boundary in `nlu.interceptors`."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from nlu.backbone import Backbone
from nlu.caller import current_caller
from nlu.interceptors import Context, item_of
from nlu.parser import Parser
from nlu.registry import Registry
from nlu.request_id import current_request_id
from nlu.trial import routed_version
from nlu.v1 import nlu_pb2, nlu_pb2_grpc
from nlu.wire import read_ref, read_request, write_result, write_snapshot, write_version
from skills.errors import InputError, NotReadyError
from storage.catalog import Catalog

MAX_BATCH = 256  # items of one BatchParse
IN_FLIGHT = 64  # items of one call that wait for the engine at a time: enough for a batch, and fair to others

_STOPPING = "the server is stopping: send what was not answered to another one, or try again"


@dataclass(frozen=True)
class Service:
    """What answers calls, whole and warm."""

    catalog: Catalog
    backbone: Backbone
    registry: Registry
    parser: Parser


class NluServicer(nlu_pb2_grpc.NluServiceServicer):
    """The methods are as the .proto says; they raise NotReadyError before `start` and after `stop`."""

    def __init__(self) -> None:
        self._service: Service | None = None
        self._stopping = False
        self._reading: set[asyncio.Timeout] = set()

    def start(self, service: Service) -> None:
        """Answer from now on."""
        self._service = service

    def stop(self) -> None:
        """Refuse new calls, end watches, and read no more from streams; what was read is answered."""
        self._stopping = True
        for reading in self._reading:
            reading.reschedule(0)
        if self._service is not None:
            self._service.registry.close()

    async def Parse(self, request: nlu_pb2.ParseRequest, context: Context) -> nlu_pb2.ParseResponse:
        service, deadline = self.running(), _deadline(context)
        return await _parse(service, request, deadline, request_id=current_request_id())

    async def BatchParse(
        self, request: nlu_pb2.BatchParseRequest, context: Context
    ) -> nlu_pb2.BatchParseResponse:
        service, deadline = self.running(), _deadline(context)
        if len(request.requests) > MAX_BATCH:
            raise InputError(
                f"{len(request.requests)} requests in one batch, at most {MAX_BATCH} are allowed: "
                "send several batches, or use StreamParse",
                field="requests",
            )
        current_caller().owe(max(len(request.requests) - 1, 0))
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def answer(message: nlu_pb2.ParseRequest) -> nlu_pb2.BatchParseItem:
            async with slots:
                return await item_of(_parse(service, message, deadline, bulk=True))

        return nlu_pb2.BatchParseResponse(items=await asyncio.gather(*map(answer, request.requests)))

    async def StreamParse(
        self, requests: AsyncIterator[nlu_pb2.StreamParseRequest], context: Context
    ) -> None:
        service, deadline = self.running(), _deadline(context)
        slots = asyncio.Semaphore(IN_FLIGHT)
        writing = asyncio.Lock()  # gRPC takes one message at a time

        async def answer(index: int, message: nlu_pb2.ParseRequest) -> None:
            request_id = message.request_id or uuid.uuid4().hex
            item = await item_of(_parse(service, message, deadline, request_id=request_id, bulk=True))
            response = nlu_pb2.StreamParseResponse(request_id=request_id, index=index, item=item)
            async with writing:
                await context.write(response)
            slots.release()

        broken: InputError | None = None
        async with asyncio.TaskGroup() as answers, self._until_stopping() as reading:
            index = 0
            try:
                async for message in requests:
                    await current_caller().pace()
                    await slots.acquire()
                    answers.create_task(answer(index, message.request))
                    index += 1
            except InputError as error:  # that was no message; those before it are answered first
                broken = error
        if broken is not None:
            raise broken
        if reading.expired():
            raise NotReadyError(_STOPPING)

    async def ListSkills(
        self, request: nlu_pb2.ListSkillsRequest, context: Context
    ) -> nlu_pb2.ListSkillsResponse:
        service = self.running()
        snapshot = current_caller().view(service.registry.snapshot)
        return write_snapshot(snapshot, service.backbone.fingerprint)

    async def GetSkill(self, request: nlu_pb2.GetSkillRequest, context: Context) -> nlu_pb2.GetSkillResponse:
        registry, caller = self.running().registry, current_caller()
        ref = read_ref(request.skill, field="skill")
        caller.check_skill(ref.name)
        served = routed_version(ref, "", caller.view(registry.snapshot))
        return write_version(served or await registry.find(ref))

    async def WatchSkills(self, request: nlu_pb2.WatchSkillsRequest, context: Context) -> None:
        service = self.running()
        async for snapshot in service.registry.watch():
            skills = write_snapshot(current_caller().view(snapshot), service.backbone.fingerprint)
            await context.write(nlu_pb2.WatchSkillsResponse(skills=skills))

    def running(self) -> Service:
        """Return what answers now.

        Raises:
            NotReadyError: before `start` and after `stop`.
        """
        if self._service is None:
            raise NotReadyError("the server is loading its model: try again in a few seconds")
        if self._stopping:
            raise NotReadyError(_STOPPING)
        return self._service

    @asynccontextmanager
    async def _until_stopping(self) -> AsyncIterator[asyncio.Timeout]:
        """Leave the block early when the server stops; the timeout has then expired."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._stopping else None) as block:
                self._reading.add(block)
                try:
                    yield block
                finally:
                    self._reading.discard(block)


async def _parse(
    service: Service,
    message: nlu_pb2.ParseRequest,
    deadline: float | None,
    *,
    request_id: str = "",
    bulk: bool = False,
) -> nlu_pb2.ParseResponse:
    request = read_request(message, request_id=request_id)
    caller = current_caller()
    return write_result(await service.parser.parse(request, deadline=deadline, caller=caller, bulk=bulk))


def _deadline(context: Context) -> float | None:
    """Return the caller's deadline in `time.monotonic()` seconds."""
    remaining: float | None = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining
