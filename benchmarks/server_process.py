"""The real server as a process of its own, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from nlu.compute import Compute


@dataclass(frozen=True)
class ServerProcess:
    """A server that answers at `address`; `start_seconds` after it was started, by the clock."""

    address: str
    start_seconds: float
    process: psutil.Process

    def memory(self) -> int:
        """Return the resident bytes."""
        return int(self.process.memory_info().rss)

    def processor_seconds(self) -> float:
        """Return the processor time since the start; other work on the machine changes it little."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def running(catalog: str, compute: Compute, *options: str) -> Iterator[ServerProcess]:
    """Start `softspoken serve` and wait until it answers; it ends with the block. All servers compute alike.

    They remember no texts: a benchmark has few, and asks each of them often.

    Raises:
        RuntimeError: it stopped instead; why, it has written to standard error.
    """
    command = [sys.executable, "-m", "training.cli", "serve", "--address", "127.0.0.1:0"]
    command += ["--threads", str(compute.threads), "--precision", compute.precision]
    command += ["--catalog", catalog, "--row-cache", "0", "--log-level", "error", *options]
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield ServerProcess(_address(server), time.monotonic() - began, psutil.Process(server.pid))
        finally:
            server.terminate()


def _address(server: subprocess.Popen[str]) -> str:
    for line in server.stdout or ():
        if "serving on" in line:
            return line.split("serving on", 1)[1].split()[0]
    raise RuntimeError("the server stopped before it was ready")
