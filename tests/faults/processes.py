"""Servers as processes of their own, and what is asked of them after every fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import grpc
import psutil  # type: ignore[import-untyped]
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nlu.cache import default_cache
from nlu.client import Client, ParseRequest

PATIENCE = 120.0  # seconds, on a machine that is busy with something else
ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())

# The bounds are those of production, but for the seconds that tests would have to wait.
SERVER = """
import asyncio, importlib, json, sys
from pathlib import Path

for name, value in json.loads(sys.argv[2]).items():
    module, _, constant = name.rpartition(".")
    setattr(importlib.import_module(module), constant, value)
from nlu.server import serve
from nlu.server_settings import ServerSettings
from training.submission import check_submission

settings = ServerSettings(**json.loads(sys.argv[1]), cache=Path(sys.argv[3]))
ready = lambda addresses: print(addresses[0], flush=True)
asyncio.run(serve(settings, ready=ready, check_training=check_submission))
"""
SOON = {
    "nlu.catalog_health.STALE_SECONDS": 1.5,
    "nlu.connections.HANDSHAKE_SECONDS": 2.0,
    "nlu.training_service.PART_SECONDS": 1.5,
    "storage.database.WAIT": 1,
}

FoundT = TypeVar("FoundT")


@dataclass(frozen=True)
class Server:
    """A server that answers at `address`; `log` is its standard error."""

    url: str
    address: str
    process: psutil.Popen
    log: Path

    def answer(self, skill: str, text: str = "pay my card") -> int:
        """Ask a skill over a connection of its own, and return the version that answered."""
        with Client(self.address, timeout=PATIENCE) as client:
            (only,) = client.parse(ParseRequest(text, skills=(skill,))).results
            return only.skill.version

    def health(self, service: str = "") -> str:
        """Return what health says of a service."""
        with grpc.insecure_channel(self.address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            found = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=PATIENCE)
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(found.status))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def serving(url: str, log: Path, *, bounds: dict[str, float] = SOON, **settings: Any) -> Iterator[Server]:
    """Start a server process and wait until it answers; it is killed at the end, if it still runs."""
    settings = {"catalog": url, "address": "127.0.0.1:0", "threads": 1, "precision": "float32", **settings}
    command = [sys.executable, "-c", SERVER, json.dumps(settings), json.dumps(bounds), str(CACHE)]
    with log.open("a") as stream:
        process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stream, text=True)
    try:
        address = process.stdout.readline().strip()
        assert address, f"the server ended with exit code {process.wait(PATIENCE)}: {log.read_text()}"
        yield Server(url, address, process, log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
