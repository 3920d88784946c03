"""The client of NluService, for threads (`Client`) and for asyncio (`AsyncClient`).

    with Client("127.0.0.1:50051") as client:
        result = client.parse(ParseRequest("I lost my card", skills=("concierge",)))

Errors are those of `nlu.client_errors`. A call that finds no server, or one that is
starting or stopping, is tried four times in all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from nlu.client_connection import CHANNEL_OPTIONS, Connection, Tls
from nlu.client_errors import (
    ClientError,
    DeadlineError,
    InvalidRequestError,
    OverloadedError,
    PermissionDeniedError,
    ServerError,
    SkillRefusedError,
    UnauthenticatedError,
    UnavailableError,
    UnknownSkillError,
    error_of_call,
)
from nlu.client_thread import TIMEOUT, Result, ThreadClient
from nlu.client_types import (
    Edit,
    Grammar,
    Intent,
    OffsetUnit,
    Outcome,
    ParseRequest,
    ParseResult,
    SimilarUtterance,
    SkillDetails,
    SkillKind,
    SkillList,
    SkillResult,
    Slot,
    SlotAlternative,
)
from nlu.client_wire import (
    read_batch,
    read_change,
    read_details,
    read_item,
    read_result,
    read_skills,
    write_batch,
    write_item,
    write_ref,
    write_request,
)
from nlu.v1 import nlu_pb2, nlu_pb2_grpc

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "DeadlineError",
    "Edit",
    "Grammar",
    "Intent",
    "InvalidRequestError",
    "OffsetUnit",
    "Outcome",
    "OverloadedError",
    "ParseRequest",
    "ParseResult",
    "PermissionDeniedError",
    "ServerError",
    "SimilarUtterance",
    "SkillDetails",
    "SkillKind",
    "SkillList",
    "SkillRefusedError",
    "SkillResult",
    "Slot",
    "SlotAlternative",
    "Tls",
    "UnauthenticatedError",
    "UnavailableError",
    "UnknownSkillError",
]

_RETRY_SECONDS = 0.1  # between looks at a server that is not ready yet


class Client(ThreadClient):
    """The client for threads, see `ThreadClient`.

    Raises:
        ClientError: from every method.
    """

    def __init__(
        self, address: str, *, timeout: float | None = TIMEOUT, tls: Tls | None = None, api_key: str = ""
    ) -> None:
        super().__init__(address, timeout=timeout, tls=tls, api_key=api_key)
        self._stub = nlu_pb2_grpc.NluServiceStub(self._channel)

    def parse(self, request: ParseRequest | str, *, timeout: float | None = None) -> ParseResult:
        """Answer one utterance; a bare text asks all live skills."""
        return self._call(self._stub.Parse, write_request(request), read_result, timeout)

    def batch_parse(
        self, requests: Sequence[ParseRequest | str], *, timeout: float | None = None
    ) -> list[ParseResult | ClientError]:
        """Answer up to 256 utterances, in their order; an item that fails is its error, not raised."""
        return self._call(self._stub.BatchParse, write_batch(requests), read_batch, timeout)

    def stream_parse(
        self, requests: Iterable[ParseRequest | str], *, timeout: float | None = None
    ) -> Iterator[tuple[int, ParseResult | ClientError]]:
        """Answer utterances as they come, each with its place in `requests`, as soon as it is ready.

        No time limit unless `timeout` gives one for the whole stream.
        """
        return self._stream(self._stub.StreamParse, map(write_item, requests), read_item, timeout)

    def list_skills(self, *, timeout: float | None = None) -> SkillList:
        """Return what the server serves."""
        return self._call(self._stub.ListSkills, nlu_pb2.ListSkillsRequest(), read_skills, timeout)

    def get_skill(self, skill: str, *, timeout: float | None = None) -> SkillDetails:
        """Describe `name`, `name@3` or `name@candidate`."""
        request = nlu_pb2.GetSkillRequest(skill=write_ref(skill))
        return self._call(self._stub.GetSkill, request, read_details, timeout)

    def watch_skills(self, *, timeout: float | None = None) -> Iterator[SkillList]:
        """Return what the server serves, now and after every change, until it stops."""
        return self._stream(self._stub.WatchSkills, nlu_pb2.WatchSkillsRequest(), read_change, timeout)

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until the server answers, at most `timeout` seconds.

        Raises:
            UnavailableError: it does not.
        """
        end = time.monotonic() + timeout
        while True:
            try:
                self.list_skills(timeout=max(0.0, end - time.monotonic()))
                return
            except (UnavailableError, DeadlineError) as error:
                if time.monotonic() + _RETRY_SECONDS >= end:
                    raise _not_ready(self._connection, timeout, error) from error
            time.sleep(_RETRY_SECONDS)


class AsyncClient:
    """The same for asyncio; make it inside the loop that uses it."""

    def __init__(
        self, address: str, *, timeout: float | None = TIMEOUT, tls: Tls | None = None, api_key: str = ""
    ) -> None:
        self._connection = Connection(address, timeout, tls, api_key)
        credentials = self._connection.credentials()
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, CHANNEL_OPTIONS)
        self._stub = nlu_pb2_grpc.NluServiceStub(self._channel)

    async def parse(self, request: ParseRequest | str, *, timeout: float | None = None) -> ParseResult:
        """See `Client.parse`."""
        return await self._call(self._stub.Parse, write_request(request), read_result, timeout)

    async def batch_parse(
        self, requests: Sequence[ParseRequest | str], *, timeout: float | None = None
    ) -> list[ParseResult | ClientError]:
        """See `Client.batch_parse`."""
        return await self._call(self._stub.BatchParse, write_batch(requests), read_batch, timeout)

    def stream_parse(
        self, requests: AsyncIterable[ParseRequest | str], *, timeout: float | None = None
    ) -> AsyncIterator[tuple[int, ParseResult | ClientError]]:
        """See `Client.stream_parse`."""
        messages = (write_item(request) async for request in requests)
        return self._stream(self._stub.StreamParse, messages, read_item, timeout)

    async def list_skills(self, *, timeout: float | None = None) -> SkillList:
        """See `Client.list_skills`."""
        return await self._call(self._stub.ListSkills, nlu_pb2.ListSkillsRequest(), read_skills, timeout)

    async def get_skill(self, skill: str, *, timeout: float | None = None) -> SkillDetails:
        """See `Client.get_skill`."""
        request = nlu_pb2.GetSkillRequest(skill=write_ref(skill))
        return await self._call(self._stub.GetSkill, request, read_details, timeout)

    def watch_skills(self, *, timeout: float | None = None) -> AsyncIterator[SkillList]:
        """See `Client.watch_skills`."""
        return self._stream(self._stub.WatchSkills, nlu_pb2.WatchSkillsRequest(), read_change, timeout)

    async def wait_until_ready(self, timeout: float) -> None:
        """See `Client.wait_until_ready`."""
        end = time.monotonic() + timeout
        while True:
            try:
                await self.list_skills(timeout=max(0.0, end - time.monotonic()))
                return
            except (UnavailableError, DeadlineError) as error:
                if time.monotonic() + _RETRY_SECONDS >= end:
                    raise _not_ready(self._connection, timeout, error) from error
            await asyncio.sleep(_RETRY_SECONDS)

    async def close(self) -> None:
        """Close the connections; calls in flight are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(
        self, method: Any, message: Any, read: Callable[[Any], Result], timeout: float | None
    ) -> Result:
        seconds = self._connection.timeout if timeout is None else timeout
        try:
            return read(await method(message, timeout=seconds, metadata=self._connection.metadata()))
        except grpc.RpcError as error:
            raise error_of_call(error) from error

    async def _stream(
        self, method: Any, message: Any, read: Callable[[Any], Result], timeout: float | None
    ) -> AsyncIterator[Result]:
        call = method(message, timeout=timeout, metadata=self._connection.metadata())
        try:
            async for response in call:
                yield read(response)
        except grpc.RpcError as error:
            raise error_of_call(error) from error
        finally:
            call.cancel()


def _not_ready(connection: Connection, timeout: float, error: ClientError) -> UnavailableError:
    return UnavailableError(f"no server was ready at {connection.address} within {timeout:g} s: {error}")
