"""What the holder of an API key for some skills, or of a slow one, gets from NluService and over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import grpc
import httpx
import pytest

from nlu.access import KeyRing
from nlu.caller import Caller
from nlu.http.app import make_app
from nlu.http.server import serving_http
from nlu.v1 import nlu_pb2
from skills.api_key import KeyDraft, Scope

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
Metadata: TypeAlias = tuple[tuple[str, str], ...]

SECONDS = 30.0  # a test that waits for longer has failed
OPEN = nlu_pb2.ParseRequest(text="hello")


@asynccontextmanager
async def keyed(serve: Serve, **changes: Any) -> AsyncIterator[tuple[Any, Metadata, KeyRing]]:
    """Serve alpha and beta, to one key."""
    keys = KeyRing()
    async with serve(keys=keys) as server:
        draft = KeyDraft("dialog", frozenset({Scope.PARSE}), **changes)
        token = server.catalog.keys.create(draft)
        async with keys.following(server.catalog, SECONDS):
            yield server, (("authorization", f"Bearer {token.reveal()}"),), keys


def asking_for(*names: str) -> nlu_pb2.ParseRequest:
    return nlu_pb2.ParseRequest(text="hello", skills=[nlu_pb2.SkillRef(name=name) for name in names])


def names_of(response: nlu_pb2.ParseResponse) -> list[str]:
    return [result.skill.name for result in response.results]


async def test_all_live_skills_are_all_that_the_key_is_for(serve: Serve) -> None:
    async with keyed(serve, skills=frozenset({"beta", "gamma"})) as (server, key, _):
        stub = server.stub
        assert names_of(await stub.Parse(OPEN, metadata=key)) == ["beta"]
        assert names_of(await stub.Parse(asking_for("beta"), metadata=key)) == ["beta"]
        listed = await stub.ListSkills(nlu_pb2.ListSkillsRequest(), metadata=key)
        assert [each.skill.name for each in listed.skills] == ["beta"]
        watch = stub.WatchSkills(nlu_pb2.WatchSkillsRequest(), metadata=key)
        assert [each.skill.name for each in (await watch.read()).skills.skills] == ["beta"]


async def test_a_key_for_all_skills_gets_all(serve: Serve) -> None:
    async with keyed(serve) as (server, key, _):
        assert names_of(await server.stub.Parse(OPEN, metadata=key)) == ["alpha", "beta"]
        assert len((await server.stub.ListSkills(nlu_pb2.ListSkillsRequest(), metadata=key)).skills) == 2


@pytest.mark.parametrize("name", ["alpha", "no-such-skill"])
@pytest.mark.parametrize("version", [0, 1])
async def test_other_skills_are_denied_whether_they_exist_or_not(
    serve: Serve, name: str, version: int
) -> None:
    ref = nlu_pb2.SkillRef(name=name, version=version) if version else nlu_pb2.SkillRef(name=name)
    both = nlu_pb2.ParseRequest(text="hello", skills=[nlu_pb2.SkillRef(name="beta"), ref])
    async with keyed(serve, skills=frozenset({"beta"})) as (server, key, _):
        for call in (
            server.stub.Parse(both, metadata=key),
            server.stub.GetSkill(nlu_pb2.GetSkillRequest(skill=ref), metadata=key),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
            assert f"'dialog' may not use the skill {name!r}" in str(caught.value.details())
        batch = nlu_pb2.BatchParseRequest(requests=[both, OPEN])
        denied, answered = (await server.stub.BatchParse(batch, metadata=key)).items
        assert denied.status.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
        assert names_of(answered.response) == ["beta"]
        assert server.batcher.accepted == 1  # no row of alpha


async def test_what_is_missing_is_told_without_the_names_of_others(serve: Serve) -> None:
    async with keyed(serve, skills=frozenset({"gamma"})) as (server, key, _):
        for call in (
            server.stub.Parse(OPEN, metadata=key),
            server.stub.Parse(asking_for("gamma"), metadata=key),
            server.stub.GetSkill(nlu_pb2.GetSkillRequest(skill={"name": "gamma"}), metadata=key),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            assert "alpha" not in str(caught.value.details())


async def test_a_batch_counts_as_all_its_requests(serve: Serve) -> None:
    async with keyed(serve, rate=2.0) as (server, key, _):
        batch = nlu_pb2.BatchParseRequest(requests=[OPEN] * 200)
        assert len((await server.stub.BatchParse(batch, metadata=key)).items) == 200
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.Parse(OPEN, metadata=key)
        status = dict(caught.value.trailing_metadata())["softspoken-status-bin"]
        seconds = nlu_pb2.ItemStatus.FromString(status).retry_after.ToTimedelta().total_seconds()
        assert 50 < seconds <= 100


async def test_every_request_of_a_stream_is_paced(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    paced: list[str] = []

    async def pace(caller: Caller) -> None:
        paced.append(caller.name)

    async def requests() -> AsyncIterator[nlu_pb2.StreamParseRequest]:
        for _ in range(5):
            yield nlu_pb2.StreamParseRequest(request=OPEN)

    monkeypatch.setattr(Caller, "pace", pace)
    async with keyed(serve, rate=1.0) as (server, key, _):
        call = server.stub.StreamParse(requests(), metadata=key)
        assert len([response async for response in call]) == 5
    assert paced == ["dialog"] * 5


async def test_http_asks_for_the_same_keys(serve: Serve) -> None:
    async with keyed(serve, skills=frozenset({"beta"})) as (server, key, keys):
        token = key[0][1].removeprefix("Bearer ")
        app = make_app(server.servicer.running, "", keys)
        async with (
            serving_http(app, "127.0.0.1:0", grace_seconds=SECONDS) as url,
            httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as client,
        ):
            body = {"text": "hello"}
            for answer in (
                await client.post("/model/parse", json=body, params={"token": token}),
                await client.post("/model/parse", json=body | {"token": token}),
                await client.post("/model/parse", json=body, headers={"authorization": f"Bearer {token}"}),
            ):
                assert answer.status_code == 200
                assert answer.json()["softspoken"]["skills"] == ["beta@1"]
            for answer in (
                await client.post("/model/parse", json=body),
                await client.post("/model/parse", json=body, params={"token": token[:-1]}),
                await client.get("/status"),
            ):
                assert answer.status_code == 401
            denied = await client.post("/skills/alpha/model/parse", json=body, params={"token": token})
            assert denied.status_code == 403
            assert (await client.get("/status", params={"token": token})).json()["model_file"] == "beta@1"
            assert (await client.get("/healthz")).status_code == 200
