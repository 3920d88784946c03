"""An HTTP server inside the event loop of the gRPC server, which starts and stops it."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from nlu.tls import TlsFiles
from skills.errors import InputError

PORTS = 1 << 16


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the program, of which this server is a part."""
        yield


@asynccontextmanager
async def serving_http(
    app: ASGIApp,
    address: str,
    *,
    grace_seconds: float,
    tls: TlsFiles | None = None,
) -> AsyncIterator[str]:
    """Serve on HOST:PORT and yield the URL; on leaving, what is in flight has grace_seconds for its answer.

    With TLS files it is HTTPS, and follows them.

    Raises:
        InputError: the address cannot be listened on, or the files cannot be used.
    """
    context = None if tls is None else tls.context()
    listener = listen(address)
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,  # it has the query, and the query has the token
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, math.ceil(grace_seconds)),  # s; 0 is reported as a failure
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield f"{'http' if tls is None else 'https'}://{address.rpartition(':')[0]}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


def listen(address: str) -> socket.socket:
    """Listen on HOST:PORT.

    Raises:
        InputError: that cannot be done; says why.
    """
    host, _, written = address.rpartition(":")
    host = host.strip("[]")
    ipv6 = ":" in host
    try:
        port = int(written)
        if not 0 <= port < PORTS:  # create_server would leave its socket open
            raise ValueError(f"port {port} does not exist")
        listener = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ipv6 else socket.AF_INET,
            dualstack_ipv6=ipv6 and socket.has_dualstack_ipv6(),  # as gRPC listens on [::]
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot listen on {address} ({error}): give HOST:PORT of this machine, with a port "
            "that no other program has (0 takes a free one)",
            field="http",
        ) from error
    # Head and body of an answer are written apart: together with the callers' delayed ACKs, Nagle's algorithm
    # would hold the body back for 40 ms. (asyncio does not see that a socket of create_server is one of TCP.)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
