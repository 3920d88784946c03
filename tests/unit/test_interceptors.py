from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from nlu.interceptors import CallBoundary, Context, item_of
from nlu.request_id import current_request_id
from nlu.status import MESSAGE_BYTES, Status
from nlu.v1 import nlu_pb2, nlu_pb2_grpc
from skills.errors import (
    CatalogError,
    DataError,
    InputError,
    NotReadyError,
    OverloadedError,
    SchemaError,
    SkillRefusedError,
    UnknownSkillError,
)

SECRET = "my card number is 4111"  # noqa: S105 - an utterance, which no log may hold
SECONDS = 30.0  # a test that waits for longer has failed


class Servicer(nlu_pb2_grpc.NluServiceServicer):
    """Does in every method what `act` does."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self.entered = asyncio.Event()
        self.proceed = asyncio.Event()

    async def Parse(self, request: nlu_pb2.ParseRequest, context: Context) -> nlu_pb2.ParseResponse:
        self._act()
        return nlu_pb2.ParseResponse(request_id=current_request_id())

    async def WatchSkills(self, request: nlu_pb2.WatchSkillsRequest, context: Context) -> None:
        await context.write(nlu_pb2.WatchSkillsResponse())
        self._act()

    async def ListSkills(
        self, request: nlu_pb2.ListSkillsRequest, context: Context
    ) -> nlu_pb2.ListSkillsResponse:
        self.entered.set()
        await self.proceed.wait()
        return nlu_pb2.ListSkillsResponse()


class Logged(logging.Handler):
    """Sets an event when a logger gets a record."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self.event = asyncio.Event()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self.event.set()

    def __enter__(self) -> Logged:
        self._logger.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)


def nothing() -> None:
    """Let the method succeed."""


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@asynccontextmanager
async def running(servicer: Servicer, *, boundary: CallBoundary | None = None) -> AsyncIterator[Any]:
    server = grpc.aio.server(interceptors=[boundary or CallBoundary()])
    nlu_pb2_grpc.add_NluServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield nlu_pb2_grpc.NluServiceStub(channel)
    finally:
        await server.stop(None)


def details(error: grpc.aio.AioRpcError) -> list[Any]:
    """The google.rpc details of a failed call, unpacked."""
    trailers = dict(error.trailing_metadata())
    status = RpcStatus.FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    unpacked: list[Any] = []
    for packed in status.details:
        message = next(kind() for kind in (BadRequest, ErrorInfo, RetryInfo) if packed.Is(kind.DESCRIPTOR))
        packed.Unpack(message)
        unpacked.append(message)
    return unpacked


@pytest.mark.parametrize(
    ("error", "code", "field", "reason"),
    [
        (InputError("too long", field="text"), grpc.StatusCode.INVALID_ARGUMENT, "text", ""),
        (InputError("wrong"), grpc.StatusCode.INVALID_ARGUMENT, "", ""),
        (DataError("bad row", file="f", row=1), grpc.StatusCode.INVALID_ARGUMENT, "", ""),
        (UnknownSkillError("no x", field="skills"), grpc.StatusCode.NOT_FOUND, "skills", "UNKNOWN_SKILL"),
        (SkillRefusedError("NaN"), grpc.StatusCode.FAILED_PRECONDITION, "", "SKILL_REFUSED"),
        (OverloadedError("full", retry_after=0.25), grpc.StatusCode.RESOURCE_EXHAUSTED, "", "OVERLOADED"),
        (NotReadyError("loading"), grpc.StatusCode.UNAVAILABLE, "", "NOT_READY"),
        (CatalogError("db.internal"), grpc.StatusCode.UNAVAILABLE, "", "CATALOG_UNAVAILABLE"),
        (SchemaError("db.internal"), grpc.StatusCode.UNAVAILABLE, "", "CATALOG_UNAVAILABLE"),
        (TimeoutError(), grpc.StatusCode.DEADLINE_EXCEEDED, "", ""),
        (ZeroDivisionError("secret"), grpc.StatusCode.INTERNAL, "", ""),
    ],
)
def test_every_error_has_a_code_a_field_and_a_reason(
    error: Exception, code: grpc.StatusCode, field: str, reason: str
) -> None:
    status = Status.of(error, "abc")
    assert (status.code, status.field, status.reason) == (code, field, reason)
    assert status.message


@pytest.mark.parametrize("error", [CatalogError("db.internal:5432"), ZeroDivisionError("db.internal:5432")])
def test_what_only_the_operator_should_know_stays_out_of_the_message(error: Exception) -> None:
    assert "db.internal" not in Status.of(error, "abc").message


def test_a_fault_names_the_request_in_the_log() -> None:
    assert "abc" in Status.of(ZeroDivisionError(), "abc").message


@pytest.mark.parametrize("character", ["x", "é", "\N{GRINNING FACE}"])
def test_a_message_is_cut_to_what_trailers_can_carry(character: str) -> None:
    message = Status.of(InputError(character * 100_000), "abc").message
    assert message.startswith(character)
    assert MESSAGE_BYTES - 8 < len(message.encode()) <= MESSAGE_BYTES


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            InputError("too long", field="text"),
            [BadRequest(field_violations=[{"field": "text", "description": "too long"}])],
        ),
        (UnknownSkillError("no x", field="skills"), [ErrorInfo(reason="UNKNOWN_SKILL", domain="softspoken")]),
        (
            OverloadedError("full", retry_after=0.25),
            [
                ErrorInfo(reason="OVERLOADED", domain="softspoken"),
                RetryInfo(retry_delay={"nanos": 250_000_000}),
            ],
        ),
        (ZeroDivisionError("secret"), []),
    ],
)
async def test_a_failed_call_carries_google_rpc_details_and_an_item_status(
    error: Exception, expected: list[Any]
) -> None:
    async with running(Servicer(raising(error))) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Parse(nlu_pb2.ParseRequest(), metadata=(("x-request-id", "abc"),))
    assert details(caught.value) == expected
    trailers = dict(caught.value.trailing_metadata())
    assert nlu_pb2.ItemStatus.FromString(trailers["softspoken-status-bin"]) == Status.of(error, "abc").item()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("error", "milliseconds"),
    [
        (OverloadedError("full", retry_after=0.0503), "51"),
        (OverloadedError("full", retry_after=30.0), "-1"),
        (InputError("too long"), None),
    ],
)
async def test_clients_with_a_retry_policy_are_told_when_to_come_again(
    error: Exception, milliseconds: str | None
) -> None:
    async with running(Servicer(raising(error))) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Parse(nlu_pb2.ParseRequest())
    assert dict(caught.value.trailing_metadata()).get("grpc-retry-pushback-ms") == milliseconds


@pytest.mark.asyncio
async def test_the_longest_message_still_arrives() -> None:
    async with running(Servicer(raising(InputError("\N{GRINNING FACE}" * 100_000, field="text")))) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Parse(nlu_pb2.ParseRequest())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.asyncio
async def test_a_stream_that_fails_midway_ends_with_the_status() -> None:
    async with running(Servicer(raising(InputError("wrong", field="text")))) as stub:
        call = stub.WatchSkills(nlu_pb2.WatchSkillsRequest())
        assert await call.read() == nlu_pb2.WatchSkillsResponse()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("in_metadata", "in_request", "expected"),
    [
        ("from-metadata", "", "from-metadata"),
        ("", "from-request", "from-request"),
        ("from-metadata", "from-request", "from-metadata"),
        ("with space", "from-request", "from-request"),
        ("x" * 128, "", "x" * 128),
    ],
)
async def test_the_callers_request_id_is_used_and_sent_back(
    in_metadata: str, in_request: str, expected: str
) -> None:
    metadata = (("x-request-id", in_metadata),) if in_metadata else ()
    async with running(Servicer(nothing)) as stub:
        call = stub.Parse(nlu_pb2.ParseRequest(request_id=in_request), metadata=metadata)
        response = await call
        trailers = dict(await call.trailing_metadata())
    assert response.request_id == trailers["x-request-id"] == expected


@pytest.mark.asyncio
@pytest.mark.parametrize("unfit", ["", "x" * 129, "line\nbreak", "é"])
async def test_an_id_that_is_missing_or_unfit_for_a_log_is_replaced(unfit: str) -> None:
    async with running(Servicer(nothing)) as stub:
        first = await stub.Parse(nlu_pb2.ParseRequest(request_id=unfit))
        second = await stub.Parse(nlu_pb2.ParseRequest(request_id=unfit))
    assert len(first.request_id) == len(second.request_id) == 32
    assert first.request_id != second.request_id


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("act", "code"),
    [(nothing, "OK"), (raising(NotReadyError("no")), "UNAVAILABLE"), (raising(OSError()), "INTERNAL")],
)
async def test_a_call_is_one_line_in_the_log_without_the_utterance(
    caplog: pytest.LogCaptureFixture, act: Callable[[], None], code: str
) -> None:
    caplog.set_level(logging.INFO, "nlu.interceptors")
    async with running(Servicer(act)) as stub:
        await stub.Parse(nlu_pb2.ParseRequest(text=SECRET, request_id="abc")).code()
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len(lines) == 1
    assert lines[0].startswith(f"Parse {code} ") and lines[0].endswith(" ms, request abc")
    assert SECRET not in caplog.text


@pytest.mark.asyncio
async def test_a_fault_is_in_the_log_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with running(Servicer(raising(ZeroDivisionError("the cause")))) as stub:
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Parse(nlu_pb2.ParseRequest(request_id="abc"))
    assert "request abc failed" in caplog.text
    assert "ZeroDivisionError: the cause" in caplog.text


@pytest.mark.asyncio
async def test_a_caller_who_leaves_is_logged_as_such(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nlu.interceptors")
    servicer = Servicer(nothing)
    async with running(servicer) as stub:
        with Logged(logging.getLogger("nlu.interceptors")) as logged:
            call = stub.ListSkills(nlu_pb2.ListSkillsRequest())
            await asyncio.wait_for(servicer.entered.wait(), SECONDS)
            call.cancel()
            await asyncio.wait_for(logged.event.wait(), SECONDS)
    assert [record.getMessage().split()[:2] for record in caplog.records] == [["ListSkills", "CANCELLED"]]


@pytest.mark.asyncio
async def test_it_is_idle_when_no_call_is_being_answered() -> None:
    servicer, boundary = Servicer(nothing), CallBoundary()
    await asyncio.wait_for(boundary.idle(), SECONDS)
    async with running(servicer, boundary=boundary) as stub:
        call = stub.ListSkills(nlu_pb2.ListSkillsRequest())
        await asyncio.wait_for(servicer.entered.wait(), SECONDS)
        idle = asyncio.create_task(boundary.idle())
        await stub.Parse(nlu_pb2.ParseRequest())
        assert not idle.done()  # the other call still is

        servicer.proceed.set()
        await call
        await asyncio.wait_for(idle, SECONDS)


@pytest.mark.asyncio
async def test_other_services_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "nlu.interceptors")
    async with running(Servicer(nothing), boundary=CallBoundary("/another.")) as stub:
        call = stub.Parse(nlu_pb2.ParseRequest())
        await call
        assert "x-request-id" not in dict(await call.trailing_metadata())
    assert not caplog.records


@pytest.mark.asyncio
async def test_an_item_fails_alone_with_the_same_status() -> None:
    async def failing() -> nlu_pb2.ParseResponse:
        raise OverloadedError("full", retry_after=1.5)

    async def succeeding() -> nlu_pb2.ParseResponse:
        return nlu_pb2.ParseResponse(request_id="abc")

    failed, succeeded = await item_of(failing()), await item_of(succeeding())

    assert failed.status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
    assert failed.status.retry_after.ToMilliseconds() == 1500
    assert not failed.HasField("response")
    assert succeeded.status == nlu_pb2.ItemStatus()
    assert succeeded.response.request_id == "abc"
