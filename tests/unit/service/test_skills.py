from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc
import numpy as np
import pytest
from safetensors.numpy import load, save

from nlu.v1 import nlu_pb2
from skills.skill import SkillRef

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]


async def test_served_and_refused_versions_are_listed(serve: Serve) -> None:
    def prepare(server: Any) -> None:
        server.publish("alpha")
        server.catalog.promote(SkillRef("alpha"), "stable")
        server.publish("alpha", seed=1, alias="candidate")
        server.publish("beta", backbone="f" * 64)

    async with serve(prepare=prepare) as server:
        listed = await server.stub.ListSkills(nlu_pb2.ListSkillsRequest())
        revision = server.catalog.revision()

    assert (listed.revision, listed.backbone) == (revision, server.service.backbone.fingerprint)
    served = [(each.skill.name, each.skill.version, list(each.aliases)) for each in listed.skills]
    assert served == [("alpha", 1, ["live", "stable"]), ("alpha", 2, ["candidate"])]
    assert {each.label_count for each in listed.skills} == {3}
    assert [(each.skill.name, each.skill.version) for each in listed.refused] == [("beta", 1)]
    assert "f" * 12 in listed.refused[0].reason


def with_nan(blob: bytes) -> bytes:
    tensors = load(blob)
    tensors["prompt.deep"].flat[0] = np.nan
    return save(tensors)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda tensors: {"backbone": "f" * 64}, "backbone"),
        (lambda tensors: {"tensors": with_nan(tensors)}, "not finite"),
        (lambda tensors: {"tensors": tensors[:-1]}, "train it again"),
        (lambda tensors: {"labels": ("one", "two")}, "shape"),
    ],
)
async def test_a_version_that_cannot_be_served_is_refused_and_the_others_answer(
    serve: Serve, spoil: Callable[[bytes], dict[str, Any]], reason: str
) -> None:
    def prepare(server: Any) -> None:
        server.publish("alpha")
        good = server.publish("beta", alias=None)
        server.publish("beta", **spoil(server.catalog.tensors(good)))

    async with serve(prepare=prepare) as server:
        answered = await server.parse("hello")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.parse("hello", "beta")
    assert [each.skill.name for each in answered.results] == ["alpha"]
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason in (caught.value.details() or "")


async def test_a_skill_is_described_in_full(serve: Serve) -> None:
    async with serve() as server:
        found = await server.stub.GetSkill(nlu_pb2.GetSkillRequest(skill=nlu_pb2.SkillRef(name="alpha")))
        stored = server.catalog.get(SkillRef("alpha"))

    assert (found.skill.name, found.skill.version, found.skill.sha256) == ("alpha", 1, stored.sha256)
    assert found.kind == nlu_pb2.SKILL_KIND_INTENT
    assert found.method == "deep-prompt"
    assert list(found.labels) == ["red", "green", "blue"]
    assert dict(found.metrics) == {"accuracy": 0.75}
    assert found.stored_bytes == stored.bytes
    assert found.created_at.ToDatetime(stored.created_at.tzinfo) == stored.created_at
    provenance = found.provenance
    assert (provenance.data_sha256, provenance.rows, provenance.seed) == ("d" * 64, 12, 2)
    assert (provenance.code_version, provenance.training_time.ToMilliseconds()) == ("1.0", 2500)


async def test_a_watch_tells_of_the_present_and_of_every_change_until_the_server_stops(
    serve: Serve,
) -> None:
    async with serve() as server:
        polling = asyncio.create_task(server.service.registry.poll(0.01))
        call = server.stub.WatchSkills(nlu_pb2.WatchSkillsRequest())
        now = await call.read()

        server.publish("gamma")
        changed = await call.read()
        server.servicer.stop()
        end = await call.read()
        await polling

        assert await call.code() is grpc.StatusCode.OK
    assert [each.skill.name for each in now.skills.skills] == ["alpha", "beta"]
    assert [each.skill.name for each in changed.skills.skills] == ["alpha", "beta", "gamma"]
    assert changed.skills.revision > now.skills.revision
    assert end is grpc.aio.EOF


async def test_a_swap_changes_the_published_skill_and_no_other(serve: Serve) -> None:
    async with serve() as server:
        before = await server.parse("hello")
        server.publish("beta", seed=9)
        await asyncio.to_thread(server.service.registry.refresh)
        after = await server.parse("hello")
    assert after.results[0] == before.results[0]
    assert (after.results[1].skill.name, after.results[1].skill.version) == ("beta", 2)
    assert after.results[1].intent != before.results[1].intent


async def test_a_pinned_version_is_gone_once_its_skill_is_deleted(serve: Serve) -> None:
    async with serve() as server:
        call = server.stub.WatchSkills(nlu_pb2.WatchSkillsRequest())
        await call.read()
        pinned = nlu_pb2.ParseRequest(text="x", skills=[nlu_pb2.SkillRef(name="beta", version=1)])
        await server.stub.Parse(pinned)

        server.catalog.delete("beta")
        polling = asyncio.create_task(server.service.registry.poll(0.01))
        await call.read()

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.Parse(pinned)
        server.servicer.stop()
        await polling
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
