"""The boundary of every call: request id, errors to status, one line in the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from nlu.access import KeyRing
from nlu.caller import ANYONE, Caller, current_caller, set_caller
from nlu.observer import NOBODY, Observer, current_observer, set_observer
from nlu.request_id import REQUEST_ID_METADATA, begin_request, current_request_id
from nlu.status import Status
from nlu.v1 import nlu_pb2
from skills.errors import AccessError, InputError, RateLimitError, SoftspokenError

logger = logging.getLogger(__name__)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_MAKERS: dict[str, Callable[..., Handler]] = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}


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

    def __init__(
        self, services: str = "/softspoken.", *, keys: KeyRing | None = None, observer: Observer = NOBODY
    ) -> None:
        self._services = services  # the methods' common beginning
        self._keys = keys
        self._observer = observer
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
            set_caller(caller if caller.key else replace(caller, address=_machine(context.peer())))
            set_observer(self._observer)
            held = nullcontext() if self._keys is None else self._keys.holding(caller)
            with self._counted():
                async with _boundary(method, request, context), held:
                    read = _each(request) if handler.request_streaming else _message(request)
                    return await behaviour(read, context)

        return _MAKERS[kind](answer, _reader(handler.request_deserializer), handler.response_serializer)

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


def _machine(peer: str) -> str:
    """Return where gRPC's `ipv4:127.0.0.1:40001` comes from, without the port; sockets of files have none."""
    return peer if peer.startswith("unix") else peer.partition(":")[2].rpartition(":")[0]


def _kind(handler: Any) -> str:
    return f"{_stream(handler.request_streaming)}_{_stream(handler.response_streaming)}"


def _refusing(handler: Any, error: SoftspokenError) -> Handler:
    """Return what refuses a call; the request is not even parsed."""

    async def refuse(request: Any, context: Context) -> Any:
        raise error

    return _MAKERS[_kind(handler)](refuse, None, handler.response_serializer)


def _reader(deserializer: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Return what reads a message, or returns why it cannot: raised here, it would reach nobody but gRPC."""
    if deserializer is None:
        return None

    def read(data: bytes) -> Any:
        try:
            return deserializer(data)
        except DecodeError as error:
            return InputError(f"what was sent is no message of this method ({error}): check its .proto")

    return read


def _message(read: Any) -> Any:
    if isinstance(read, InputError):
        raise read
    return read


async def _each(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for read in requests:
        yield _message(read)


def _stream(streaming: bool) -> str:
    return "stream" if streaming else "unary"


@asynccontextmanager
async def _boundary(method: str, request: Any, context: Context) -> AsyncIterator[None]:
    metadata = tuple(context.invocation_metadata() or ())
    identity = begin_request((*_given(metadata), getattr(request, "request_id", "")))
    current_observer().began(metadata, identity)
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
        seconds, name, key = time.perf_counter() - start, method.rpartition("/")[2], current_caller().name
        current_observer().ended(method.removeprefix("/"), outcome.name, seconds)
        fields = {"method": name, "code": outcome.name, "milliseconds": round(1e3 * seconds, 1), "key": key}
        holder = f", key {key}" if key else ""
        message = "%s %s %.1f ms, request %s%s"
        logger.info(message, name, outcome.name, 1e3 * seconds, identity, holder, extra=fields)


def _status_of(error: Exception) -> Status:
    while isinstance(error, ExceptionGroup):  # of a stream, whose items are tasks
        error = error.exceptions[0]
    status = Status.of(error, current_request_id())
    current_observer().failed(status)
    if status.is_fault:
        logger.error("request %s failed", current_request_id(), exc_info=error)
    elif status.code is grpc.StatusCode.UNAVAILABLE:
        logger.warning("request %s was not answered: %s", current_request_id(), error)
    elif isinstance(error, (AccessError, RateLimitError)):
        logger.info("request %s was refused: %s", current_request_id(), error)
    return status


def _given(metadata: Iterable[tuple[str, str | bytes]]) -> Iterator[str | bytes]:
    """Yield the ids that the caller has given the call."""
    return (value for key, value in metadata if key == REQUEST_ID_METADATA)
