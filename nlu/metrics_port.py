"""The port that Prometheus reads: one of its own, without a key."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TypeAlias

from prometheus_client import CollectorRegistry, start_http_server

from nlu.tls import TlsFiles
from skills.errors import InputError

Publish: TypeAlias = Callable[[CollectorRegistry, str, TlsFiles | None], AbstractContextManager[str]]


@contextmanager
def published(registry: CollectorRegistry, address: str, tls: TlsFiles | None = None) -> Iterator[str]:
    """Serve Prometheus' text format on HOST:PORT in a thread of its own, and yield the URL.

    With TLS files it is HTTPS, and follows them; it asks for no client certificate.

    Raises:
        InputError: the address cannot be listened on, or the files cannot be used.
    """
    follow = None if tls is None else replace(tls, client_ca=None).context().sni_callback
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(
            int(port),
            host.strip("[]"),
            registry,
            certfile=None if tls is None else str(tls.certificate),
            keyfile=None if tls is None else str(tls.key),
        )
        if isinstance(server.socket, ssl.SSLSocket):
            server.socket.context.sni_callback = follow
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"cannot listen on {address} for metrics ({error}): name a free HOST:PORT of this machine",
            field="metrics",
        ) from error
    try:
        yield f"{'http' if tls is None else 'https'}://{host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
