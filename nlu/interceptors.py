"""The boundary of every call: request id, errors to status, one line in the log."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, TypeAlias

import grpc

from nlu.access import KeyRing
from nlu.caller import ANYONE, Caller, current_caller, set_caller
from nlu.status import Status
from nlu.v1 import nlu_pb2
from skills.errors import AccessError, RateLimitError, SoftspokenError

REQUEST_ID_METADATA = "x-request-id"
REQUEST_ID = re.compile(r"[!-~]{1,128}")  # what metadata and a log line can carry

logger = logging.getLogger(__name__)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_MAKERS: dict[str, Callable[..., Handler]] = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}
_request_id: ContextVar[str] = ContextVar("request_id", default="")  # every call runs in a task of its own


def current_request_id() -> str:
    """Return the id of the call that is being answered, as the log has it."""
    return _request_id.get()


async def item_of(answer: Awaitable[nlu_pb2.ParseResponse]) -> nlu_pb2.BatchParseItem:
    """Wait for one item of many; its error becomes its status, so that it fails alone."""
    try:
        return nlu_pb2.BatchParseItem(status=nlu_pb2.ItemStatus(), response=await answer)
    except Exception as error:
        return nlu_pb2.BatchParseItem(status=_status_of(error).item())


class CallBoundary(grpc.aio.ServerInterceptor):
    """Wraps the methods of our own services; health and reflection have their own manners.

    With keys, only callers who have one that is for the method get in.
    """

    def __init__(self, services: str = "/softspoken.", *, keys: KeyRing | None = None) -> None:
        self._services = services  # the methods' common beginning
        self._keys = keys
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def idle(self) -> None:
        """Wait until no call is being answered."""
        await self._idle.wait()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the method's handler inside the boundary."""
        handler = await continuation(handler_call_details)
        method, metadata = handler_call_details.method, handler_call_details.invocation_metadata
        if handler is None or not method.startswith(self._services):
            return handler
        try:
            caller = ANYONE if self._keys is None else self._keys.admit(method, metadata)
        except SoftspokenError as error:
            handler, caller = _refusing(handler, error), ANYONE
        return self._bounded(handler, method, caller)

    def _bounded(self, handler: Any, method: str, caller: Caller) -> Handler:
        """Wrap a handler whose method is a coroutine; streams write with `context.write`.

        (An asynchronous generator's clean-up would wait for the garbage collector after its caller left.)
        """
        kind = _kind(handler)
        behaviour = getattr(handler, kind)

        async def answer(request: Any, context: Context) -> Any:
            set_caller(caller)
            held = nullcontext() if self._keys is None else self._keys.holding(caller)
            with self._counted():
                async with _boundary(method, request, context), held:
                    return await behaviour(request, context)

        return _MAKERS[kind](answer, handler.request_deserializer, handler.response_serializer)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()


def _kind(handler: Any) -> str:
    return f"{_stream(handler.request_streaming)}_{_stream(handler.response_streaming)}"


def _refusing(handler: Any, error: SoftspokenError) -> Handler:
    """Return what refuses a call; the request is not even parsed."""

    async def refuse(request: Any, context: Context) -> Any:
        raise error

    return _MAKERS[_kind(handler)](refuse, None, handler.response_serializer)


def _stream(streaming: bool) -> str:
    return "stream" if streaming else "unary"


@asynccontextmanager
async def _boundary(method: str, request: Any, context: Context) -> AsyncIterator[None]:
    identity = _identify(request, context)
    _request_id.set(identity)
    context.set_trailing_metadata(((REQUEST_ID_METADATA, identity),))
    start = time.perf_counter()
    outcome = grpc.StatusCode.CANCELLED  # unless it gets to an end below
    try:
        yield
        outcome = grpc.StatusCode.OK
    except grpc.aio.AbortError:
        outcome = context.code()
        raise
    except Exception as error:
        status = _status_of(error)
        outcome = status.code
        trailers = status.trailing_metadata()
        await context.abort(status.code, status.message, ((REQUEST_ID_METADATA, identity), *trailers))
    finally:
        name, elapsed = method.rpartition("/")[2], 1e3 * (time.perf_counter() - start)
        key = current_caller().name
        holder = f", key {key}" if key else ""
        logger.info("%s %s %.1f ms, request %s%s", name, outcome.name, elapsed, identity, holder)


def _status_of(error: Exception) -> Status:
    status = Status.of(error, current_request_id())
    if status.is_fault:
        logger.error("request %s failed", current_request_id(), exc_info=error)
    elif status.code is grpc.StatusCode.UNAVAILABLE:
        logger.warning("request %s was not answered: %s", current_request_id(), error)
    elif isinstance(error, (AccessError, RateLimitError)):
        logger.info("request %s was refused: %s", current_request_id(), error)
    return status


def _identify(request: Any, context: Context) -> str:
    """Return the caller's id, of the metadata or the request, if it is fit for a log; else a new one."""
    given = [value for key, value in context.invocation_metadata() or () if key == REQUEST_ID_METADATA]
    for candidate in (*given, getattr(request, "request_id", "")):
        if isinstance(candidate, str) and REQUEST_ID.fullmatch(candidate):
            return candidate
    return uuid.uuid4().hex
