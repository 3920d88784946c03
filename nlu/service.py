"""The gRPC methods of NluService. Errors pass through to the boundary in `nlu.interceptors`."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from nlu.backbone import Backbone
from nlu.interceptors import Context, current_request_id, item_of
from nlu.parser import Parser
from nlu.registry import Registry
from nlu.v1 import nlu_pb2, nlu_pb2_grpc
from nlu.wire import read_ref, read_request, write_result, write_snapshot, write_version
from skills.errors import InputError, NotReadyError

MAX_BATCH = 256  # items of one BatchParse
IN_FLIGHT = 64  # items of one call that wait for the engine at a time: it fills a batch and leaves others room


@dataclass(frozen=True)
class Service:
    """What answers calls, whole and warm."""

    backbone: Backbone
    registry: Registry
    parser: Parser


class NluServicer(nlu_pb2_grpc.NluServiceServicer):
    """Refuses calls with NotReadyError until `start`, and lets streams end after `stop`."""

    def __init__(self) -> None:
        self._service: Service | None = None
        self._stopping = asyncio.Event()

    def start(self, service: Service) -> None:
        """Answer from now on."""
        self._service = service

    def stop(self) -> None:
        """End the watches, and read no more from streams; what was read is answered."""
        self._stopping.set()
        if self._service is not None:
            self._service.registry.close()

    async def Parse(self, request: nlu_pb2.ParseRequest, context: Context) -> nlu_pb2.ParseResponse:
        return await self._parse(request, _deadline(context), request_id=current_request_id())

    async def BatchParse(self, request: nlu_pb2.BatchParseRequest, context: Context) -> nlu_pb2.BatchParseResponse:
        if len(request.requests) > MAX_BATCH:
            raise InputError(
                f"{len(request.requests)} requests in one batch, at most {MAX_BATCH} are allowed: "
                "send several batches, or use StreamParse",
                field="requests",
            )
        self._running()
        deadline = _deadline(context)
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def item(message: nlu_pb2.ParseRequest) -> nlu_pb2.BatchParseItem:
            async with slots:
                return await item_of(self._parse(message, deadline))

        return nlu_pb2.BatchParseResponse(items=await asyncio.gather(*map(item, request.requests)))

    async def StreamParse(
        self, requests: AsyncIterator[nlu_pb2.StreamParseRequest], context: Context
    ) -> AsyncIterator[nlu_pb2.StreamParseResponse]:
        self._running()
        deadline = _deadline(context)
        stopping = asyncio.create_task(self._stopping.wait())
        reading: asyncio.Task[nlu_pb2.StreamParseRequest | None] | None = asyncio.create_task(_next(requests))
        answering: set[asyncio.Task[nlu_pb2.StreamParseResponse]] = set()
        index = 0
        try:
            while reading or answering:
                waiting: set[asyncio.Task[object]] = {*answering}
                if reading and len(answering) < IN_FLIGHT:
                    waiting |= {reading, stopping}
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in answering & done:
                    answering.discard(task)
                    yield task.result()
                if reading in done and stopping not in done:
        ...
        finally:
            for task in (...):
                task.cancel()
