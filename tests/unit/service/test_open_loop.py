"""The load generator against a real socket: what it sends, and what it says has become of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager
from multiprocessing import get_context
from typing import Any, TypeAlias

import grpc
import pytest

from nlu.interceptors import CallBoundary
from nlu.v1 import nlu_pb2_grpc
from training.open_loop import Generator, Source, messages

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

pytestmark = pytest.mark.asyncio


async def test_each_request_is_counted_by_what_became_of_it(serve: Serve) -> None:
    known = Source("known", 50.0, messages(["x"], "alpha"), connections=2)
    unknown = Source("unknown", 50.0, messages(["x"], "nobody"))
    async with serve() as running:
        server = grpc.aio.server(interceptors=[CallBoundary()])
        nlu_pb2_grpc.add_NluServiceServicer_to_server(running.servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            generator = Generator(f"127.0.0.1:{port}", pool, seconds=1.0)
            good, bad = await asyncio.to_thread(generator.run, known, unknown)
        await server.stop(None)
    assert set(good.codes) == {"OK"} and set(bad.codes) == {"NOT_FOUND"}
    assert 20 < good.codes["OK"] < 100  # 50 on average
    assert (good.refused, good.failed, bad.failed, bad.goodput) == (0, 0, 1, 0)
    assert 0 < good.milliseconds(50) <= good.milliseconds(99)
