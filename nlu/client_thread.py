"""What clients for threads have in common: a connection, and calls that fail with the client's errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

import grpc

from nlu.client_connection import CHANNEL_OPTIONS, Connection, Tls
from nlu.client_errors import error_of_call

TIMEOUT = 5.0  # s; an answer takes milliseconds, and a dialog that waits longer has lost its user

Result = TypeVar("Result")
AnyClient = TypeVar("AnyClient", bound="ThreadClient")


class ThreadClient:
    """A client for threads: share one, it keeps one connection per server.

    timeout: seconds for a call unless the call says otherwise; None for no limit.

    Raises:
        InvalidRequestError: the settings do not go together, or a TLS file cannot be read.
        ClientError: from every method.
    """

    def __init__(
        self, address: str, *, timeout: float | None = TIMEOUT, tls: Tls | None = None, api_key: str = ""
    ) -> None:
        self._connection = Connection(address, timeout, tls, api_key)
        credentials = self._connection.credentials()
        if credentials is None:
            self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, credentials, CHANNEL_OPTIONS)

    def close(self) -> None:
        """Close the connections; calls in flight are cancelled."""
        self._channel.close()

    def __enter__(self: AnyClient) -> AnyClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(
        self, method: Any, message: Any, read: Callable[[Any], Result], timeout: float | None
    ) -> Result:
        seconds = self._connection.timeout if timeout is None else timeout
        try:
            return read(method(message, timeout=seconds, metadata=self._connection.metadata()))
        except grpc.RpcError as error:
            raise error_of_call(error) from error

    def _stream(
        self, method: Any, message: Any, read: Callable[[Any], Result], timeout: float | None
    ) -> Iterator[Result]:
        call = method(message, timeout=timeout, metadata=self._connection.metadata())
        try:
            for response in call:
                yield read(response)
        except grpc.RpcError as error:
            raise error_of_call(error) from error
        finally:
            call.cancel()
