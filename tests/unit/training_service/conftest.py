"""TrainingService on a real socket, over a real catalog; the checks of a submission are those of `serve`."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from nlu.access import KeyRing
from nlu.interceptors import CallBoundary
from nlu.training_client import Example, SkillKind, TrainingClient, TrainingSpec
from nlu.training_service import CheckTraining, Training, TrainingServicer
from nlu.v1 import training_pb2_grpc
from skills.skill import Calibration, Method, Provenance, SkillDraft
from skills.skill import SkillKind as Kind
from storage.catalog import Catalog
from training.submission import check_submission

SECONDS = 30.0  # a test that waits for longer has failed

SPEC = TrainingSpec("concierge", SkillKind.INTENT)
EXAMPLES = [
    Example(f"{text} {time}", intent=intent)
    for text, intent in (("I lost my card", "lost_card"), ("what is my balance", "balance"))
    for time in ("today", "again", "once more")
]


@dataclass(frozen=True)
class Running:
    """A running server, its client and stub, and what is inside."""

    client: TrainingClient
    stub: Any
    catalog: Catalog
    stop: Callable[[], object]
    address: str


class Ended(logging.Handler):
    """Sets an event when a call of a method has ended."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.event = threading.Event()
        self._method = method
        self._logger = logging.getLogger("nlu.interceptors")

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(f"{self._method} "):
            self.event.set()

    def __enter__(self) -> None:
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)

    def __exit__(self, *_: object) -> None:
        """Wait for the end."""
        assert self.event.wait(SECONDS)
        self._logger.removeHandler(self)
        self._logger.setLevel(logging.NOTSET)


@contextmanager
def running(
    catalog: Catalog, *, check: CheckTraining = check_submission, ready: bool = True, keys: bool = False
) -> Iterator[Running]:
    """Serve in a thread of its own; with `keys`, to those that the catalog has."""
    loop = asyncio.new_event_loop()
    ring = KeyRing() if keys else None
    with ThreadPoolExecutor(1) as pool:
        pool.submit(loop.run_forever)
        try:
            stack = AsyncExitStack()
            starting = _start(stack, catalog, ring)
            server, servicer, port = asyncio.run_coroutine_threadsafe(starting, loop).result(SECONDS)
            if ready:
                loop.call_soon_threadsafe(servicer.start, Training(catalog, check))
            address = f"127.0.0.1:{port}"
            with (
                TrainingClient(address, timeout=SECONDS) as client,
                grpc.insecure_channel(address) as channel,
            ):
                stub = training_pb2_grpc.TrainingServiceStub(channel)
                stop = partial(loop.call_soon_threadsafe, servicer.stop)
                yield Running(client, stub, catalog, stop, address)
            asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(SECONDS)
            asyncio.run_coroutine_threadsafe(server.stop(None), loop).result(SECONDS)
            asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result(SECONDS)
        finally:
            loop.call_soon_threadsafe(loop.stop)
    loop.close()


async def _start(
    stack: AsyncExitStack, catalog: Catalog, keys: KeyRing | None
) -> tuple[grpc.aio.Server, TrainingServicer, int]:
    if keys is not None:
        await stack.enter_async_context(keys.following(catalog, 0.05))
    server, servicer = grpc.aio.server(interceptors=[CallBoundary(keys=keys)]), TrainingServicer()
    training_pb2_grpc.add_TrainingServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, servicer, port


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}", by="tests")
    yield opened
    opened.close()


@pytest.fixture
def serve(catalog: Catalog) -> Callable[..., AbstractContextManager[Running]]:
    """Return a function that starts a server; it stops with the block."""
    return partial(running, catalog)


@pytest.fixture
def server(serve: Callable[..., AbstractContextManager[Running]]) -> Iterator[Running]:
    with serve() as started:
        yield started


@pytest.fixture
def ended() -> type[Ended]:
    return Ended


@pytest.fixture
def spec() -> TrainingSpec:
    """A training that can be submitted with the examples."""
    return SPEC


@pytest.fixture
def examples() -> list[Example]:
    return list(EXAMPLES)


@pytest.fixture
def make_draft() -> Callable[..., SkillDraft]:
    """Return a function that makes a draft that the catalog takes, though no server could serve it."""
    draft = SkillDraft(
        name="concierge",
        kind=Kind.INTENT,
        method=Method.DEEP_PROMPT,
        labels=("balance", "lost_card"),
        backbone="b" * 64,
        head={},
        calibration=Calibration(),
        metrics={},
        provenance=Provenance("d" * 64, 6, 13, {}, "1.0", 1.0),
        tensors=b"tensors",
    )
    return partial(replace, draft)
