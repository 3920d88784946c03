"""Texts that come again: the engine reads them once a version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import pytest

from nlu.adapter import Adapter
from nlu.v1 import nlu_pb2

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]


def said(response: nlu_pb2.ParseResponse) -> list[bytes]:
    return [result.SerializeToString(deterministic=True) for result in response.results]


async def test_the_engine_reads_a_text_once(serve: Serve) -> None:
    async with serve(row_cache=1 << 20) as server:
        first = await server.parse("hello there")
        again = await server.parse("hello there")
        one = await server.parse("hello there", "beta")

    assert len(server.engine.batches) == 1
    assert said(again) == said(first) and said(one) == said(first)[1:]
    assert (first.timings.batch_rows, again.timings.batch_rows, again.timings.inference_us) == (2, 0, 0)


async def test_a_new_version_reads_it_anew(serve: Serve) -> None:
    async with serve(row_cache=1 << 20) as server:
        old = await server.parse("hello")
        published = server.publish("alpha", seed=7)
        await asyncio.to_thread(server.service.registry.refresh)
        server.engine.batches.clear()
        new = await server.parse("hello")

    [batch] = server.engine.batches
    assert len(batch) == 1  # of alpha; beta's is known
    assert new.results[0].skill.version == published.version and said(new)[1] == said(old)[1]
    assert said(new)[0] != said(old)[0]


async def test_what_runs_on_the_adapter_is_not_what_runs_without(serve: Serve) -> None:
    async with serve(row_cache=1 << 20) as server:
        backbone = server.service.backbone
        vars(backbone)["adapter"] = Adapter(backbone.fingerprint, {})
        plain = server.publish("gamma", seed=7)
        adapted = server.publish("delta", seed=7, backbone=backbone.adapted_fingerprint)
        await asyncio.to_thread(server.service.registry.refresh)
        server.engine.batches.clear()
        for name in ("gamma", "delta", "gamma"):
            await server.parse("hello", name)

    assert plain.sha256 == adapted.sha256
    assert len(server.engine.batches) == 2


async def test_options_count_as_ever(serve: Serve) -> None:
    async with serve(row_cache=1 << 20) as server:
        await server.parse("hello", "alpha")
        request = nlu_pb2.ParseRequest(
            text="hello", skills=[nlu_pb2.SkillRef(name="alpha")], options=nlu_pb2.ParseOptions(n_best=1)
        )
        response = await server.stub.Parse(request)

    assert response.timings.batch_rows == 0 and len(response.results[0].intent.ranking) == 1
