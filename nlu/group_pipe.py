"""What a group of servers and each of them tell each other, over a pipe that ends with either side."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from nlu.tls import TlsFiles

PAGE_SECONDS = 5.0  # for a server's metrics: less than the ten after which Prometheus gives up


class ServerEnd:
    """The server's end: it says where it answers and, when asked, what Prometheus wants to know."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._registry: CollectorRegistry | None = None

    def follow(self) -> None:
        """Answer the group from now on, and stop as by SIGTERM once it is gone."""
        threading.Thread(target=self._follow, name="group", daemon=True).start()

    def ready(self, addresses: Sequence[str]) -> None:
        """Say that calls are answered, and where."""
        self._pipe.send_bytes("\n".join(addresses).encode())

    @contextmanager
    def publish(
        self, registry: CollectorRegistry, address: str, tls: TlsFiles | None = None
    ) -> Iterator[str]:
        """Let the group read the metrics, which it serves at the address."""
        self._registry = registry
        yield address

    def _follow(self) -> None:
        try:
            while True:
                self._pipe.recv_bytes()
                self._pipe.send_bytes(self._page())
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGTERM)

    def _page(self) -> bytes:
        from prometheus_client import generate_latest

        return b"" if self._registry is None else generate_latest(self._registry)


class GroupEnd:
    """The group's end; metrics may be read in another thread than the rest."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return what is readable when the server has said something."""
        return self._pipe.fileno()

    def addresses(self) -> Sequence[str]:
        """Return where the server is ready to answer; nothing if it has not said so yet, or is gone."""
        try:
            return self._pipe.recv_bytes().decode().split("\n") if self._pipe.poll() else ()
        except (EOFError, OSError):
            return ()

    def page(self) -> str:
        """Return the metrics of a server that is ready; empty if it is gone, or does not answer in time."""
        with self._lock:
            try:
                while self._pipe.poll():
                    self._pipe.recv_bytes()  # came too late for who asked last
                self._pipe.send_bytes(b"metrics")
                return self._pipe.recv_bytes().decode() if self._pipe.poll(PAGE_SECONDS) else ""
            except (EOFError, OSError):
                return ""

    def close(self) -> None:
        """Let go of the server."""
        with self._lock:
            self._pipe.close()
