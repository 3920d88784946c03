"""An HTTP server inside the event loop of the gRPC server, which starts and stops it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from nlu.port import listen, with_port
from nlu.tls import TlsFiles


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
    shares_port: bool = False,
) -> AsyncIterator[str]:
    """Serve on HOST:PORT and yield the URL; on leaving, what is in flight has grace_seconds for its answer.

    With TLS files it is HTTPS, and follows them.

    Raises:
        InputError: the address cannot be listened on, or the files cannot be used.
    """
    context = None if tls is None else tls.context()
    listener = listen(address, field="http", shared=shares_port)
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
        yield f"{'http' if tls is None else 'https'}://{with_port(address, listener)}"
    finally:
        server.should_exit = True
        await serving
