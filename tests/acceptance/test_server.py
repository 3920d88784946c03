"""The server as a process, on the embedded backbone: swapped, refused, encrypted, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from safetensors.numpy import load, save

from nlu.backbone import Backbone
from nlu.cache import default_cache
from nlu.client import (
    AsyncClient,
    Client,
    ClientError,
    Edit,
    ParseRequest,
    ParseResult,
    SkillRefusedError,
    Tls,
    UnavailableError,
)
from skills.skill import SkillDraft, SkillKind
from storage.catalog import Catalog

MakeDraft = Callable[..., SkillDraft]

SECONDS = 120.0  # for a start on a busy machine, which may have to convert the backbone first
SWAP_SECONDS = 2.0  # the promise: a published version is served within
REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())
CALLERS = 32

SERVER = """
import asyncio, json, pathlib, sys
from nlu.server import serve
from nlu.server_settings import ServerSettings

settings = json.loads(sys.argv[1])
paths = {name: pathlib.Path(path) for name, path in json.loads(sys.argv[2]).items()}
checked = ServerSettings(**settings, **paths)
asyncio.run(serve(checked, ready=lambda addresses: print(addresses[0], flush=True)))
"""


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return Backbone.load(cache=CACHE)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    opened = Catalog.open(url)
    yield opened
    opened.close()


@contextmanager
def running(
    url: str, *, paths: dict[str, Path] | None = None, **settings: Any
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a server process and give its address once it answers; it is stopped at the end."""
    usual = {"catalog": url, "address": "127.0.0.1:0", "threads": 1, "queue_seconds": SECONDS}
    settings = usual | settings
    arguments = [
        json.dumps(settings),
        json.dumps({"cache": str(CACHE)} | {k: str(v) for k, v in (paths or {}).items()}),
    ]
    command = [sys.executable, "-c", SERVER, *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, f"the server ended with exit code {process.wait(SECONDS)}"
            yield address, process
        finally:
            process.terminate()
            process.wait(SECONDS)


def answer(result: ParseResult) -> tuple[int, list[tuple[str, float]]]:
    """The version and the exact ranking of a result of one skill."""
    (only,) = result.results
    return only.skill.version, [(intent.name, intent.confidence) for intent in only.ranking]


@pytest.mark.asyncio
async def test_a_new_version_is_swapped_in_under_load_without_a_failure(
    url: str, catalog: Catalog, backbone: Backbone, make_draft: MakeDraft
) -> None:
    catalog.publish(make_draft(backbone, "steady", seed=1), alias="live")
    catalog.publish(make_draft(backbone, "changing", seed=2), alias="live")
    steady, changing = (ParseRequest("pay my card", skills=(name,)) for name in ("steady", "changing"))
    swapped = asyncio.Event()
    answers: list[tuple[int, list[tuple[str, float]]]] = []
    versions: set[int] = set()

    async def call(client: AsyncClient) -> None:
        while not swapped.is_set():
            answers.append(answer(await client.parse(steady, timeout=SECONDS)))
            versions.add(answer(await client.parse(changing, timeout=SECONDS))[0])

    with running(url) as (address, _):
        async with AsyncClient(address) as client:
            before = answer(await client.parse(steady)), answer(await client.parse(changing))
            callers = [asyncio.create_task(call(client)) for _ in range(CALLERS)]
            changes = client.watch_skills()
            await anext(changes)

            await asyncio.to_thread(catalog.publish, make_draft(backbone, "changing", seed=3), alias="live")
            async with asyncio.timeout(SWAP_SECONDS):
                await anext(changes)
            swapped.set()
            await asyncio.gather(*callers)
            after = answer(await client.parse(steady)), answer(await client.parse(changing))

    assert after[0] == before[0]  # to the last bit
    assert (before[1][0], after[1][0]) == (1, 2)
    assert after[1][1] != before[1][1]
    assert versions <= {1, 2}
    for version, ranking in answers:
        assert version == 1
        assert dict(ranking) == pytest.approx(dict(before[0][1]), abs=1e-4)


def edited(text: str, edits: Sequence[Edit]) -> str:
    for edit in reversed(edits):
        text = text[: edit.start] + edit.replacement + text[edit.end :]
    return text


def test_skills_of_all_kinds_answer_one_request(
    url: str, catalog: Catalog, backbone: Backbone, make_draft: MakeDraft
) -> None:
    for seed, kind in enumerate(SkillKind):
        draft = make_draft(backbone, kind.replace("+", "-"), kind, seed=seed)
        if kind is SkillKind.GRAMMAR:  # decodes every text
            draft = replace(draft, head={"grammar": draft.head["grammar"] | {"threshold": 0.0}})
        catalog.publish(draft, alias="live")
    text = "  Ann  go to New York with 3 friends \N{GRINNING FACE}"

    with running(url) as (address, _), Client(address, timeout=SECONDS) as client:
        result = client.parse(text)
        expected = client.parse(ParseRequest(text, expected_slots=("city",)))
        corrected = client.parse(ParseRequest(text, correct_grammar=True))

    grammar, intent, joint, slots = result.results
    assert [each.skill.name for each in result.results] == ["grammar", "intent", "intent-slots", "slots"]
    assert intent.ranking and joint.ranking and not slots.ranking
    assert slots.slots
    for each in (*joint.slots, *slots.slots, *corrected.results[2].slots, *corrected.results[3].slots):
        assert text[each.start : each.end] == each.raw
    assert slots.slots != expected.results[3].slots
    assert grammar.grammar is not None
    assert edited(text, grammar.grammar.edits) == grammar.grammar.corrected_text
    assert "\N{GRINNING FACE}" in grammar.grammar.corrected_text and "3" in grammar.grammar.corrected_text
    assert corrected.corrected_text == grammar.grammar.corrected_text


def with_nan(blob: bytes) -> bytes:
    tensors = load(blob)
    tensors["prompt.deep"].flat[0] = np.nan
    return save(tensors)


def test_a_server_says_what_it_serves_what_it_refuses_and_how_it_is(
    url: str, catalog: Catalog, backbone: Backbone, make_draft: MakeDraft
) -> None:
    good = make_draft(backbone, "good")
    catalog.publish(good, alias="live")
    catalog.publish(replace(good, name="foreign", backbone="f" * 64), alias="live")
    catalog.publish(replace(good, name="spoilt", tensors=with_nan(good.tensors)), alias="live")
    errors = {}

    with running(url, reflection=True) as (address, _), Client(address) as client:
        skills = client.list_skills()
        result = client.parse("hello")
        for name in ("foreign", "spoilt"):
            with pytest.raises(SkillRefusedError) as caught:
                client.parse(ParseRequest("hello", skills=(name,)))
            errors[name] = str(caught.value)
        health = health_of(address, "", "softspoken.nlu.v1.NluService")
        services = reflected_services(address)

    assert [each.skill.name for each in skills.skills] == ["good"]
    assert {each.skill.name: each.reason for each in skills.refused} == errors
    assert "backbone ffffffffffff" in errors["foreign"]
    assert "not finite" in errors["spoilt"]
    assert [each.skill.name for each in result.results] == ["good"]
    assert health == [health_pb2.HealthCheckResponse.SERVING] * 2
    assert {"softspoken.nlu.v1.NluService", "grpc.health.v1.Health"} <= services


def health_of(address: str, *services: str) -> list[int]:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        requests = [health_pb2.HealthCheckRequest(service=service) for service in services]
        return [stub.Check(request, timeout=SECONDS).status for request in requests]


def reflected_services(address: str) -> set[str]:
    with grpc.insecure_channel(address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        (answered,) = stub.ServerReflectionInfo(iter([asked]), timeout=SECONDS)
        return {service.name for service in answered.list_services_response.service}


@pytest.mark.asyncio
async def test_a_stop_answers_everything_in_flight_and_exits_with_0(
    url: str, catalog: Catalog, backbone: Backbone, make_draft: MakeDraft
) -> None:
    catalog.publish(make_draft(backbone, "good"), alias="live")
    text = "the same long sentence over and over again " * 10
    address = free_address()
    watcher = ThreadPoolExecutor(1)
    health = watcher.submit(health_history, address)
    with watcher, running(url, address=address, grace_seconds=SECONDS) as (_, process):
        async with AsyncClient(address, timeout=SECONDS) as client:
            changes = client.watch_skills()
            await anext(changes)
            calls = [asyncio.create_task(client.batch_parse([text] * 16)) for _ in range(4)]
            await asyncio.create_task(client.list_skills())  # sent after them: once answered, they are there

            process.send_signal(signal.SIGTERM)

            assert not any(call.done() for call in calls)
            with pytest.raises(StopAsyncIteration):
                await anext(changes)
            batches = await asyncio.gather(*calls)
            assert await asyncio.to_thread(process.wait, SECONDS) == 0
            with pytest.raises(UnavailableError):
                await client.list_skills()
    items = [item for batch in batches for item in batch]
    assert len(items) == 64
    assert not [item for item in items if isinstance(item, ClientError)]
    serving, not_serving = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
    assert health.result(SECONDS) == [not_serving, serving, not_serving]


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def health_history(address: str) -> list[int]:
    """Every state of health from the server's first word to its last."""
    options = [(f"grpc.{which}_reconnect_backoff_ms", 50) for which in ("initial", "min", "max")]
    with grpc.insecure_channel(address, options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        found = []
        with pytest.raises(grpc.RpcError):
            for state in stub.Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS, wait_for_ready=True):
                found.append(state.status)
        return found


def test_tls_lets_only_clients_of_the_authority_in(
    tmp_path: Path, url: str, catalog: Catalog, backbone: Backbone, make_draft: MakeDraft
) -> None:
    catalog.publish(make_draft(backbone, "good"), alias="live")
    authority = trustme.CA()
    files = {
        name: tmp_path / f"{name}.pem" for name in ("ca", "server", "server_key", "client", "client_key")
    }
    authority.cert_pem.write_to_path(str(files["ca"]))
    for name in ("server", "client"):
        issued = authority.issue_cert("localhost")
        issued.cert_chain_pems[0].write_to_path(str(files[name]))
        issued.private_key_pem.write_to_path(str(files[f"{name}_key"]))
    paths = {"tls_certificate": files["server"], "tls_key": files["server_key"], "tls_client_ca": files["ca"]}

    with running(url, address="localhost:0", paths=paths) as (address, _):
        with Client(address, tls=Tls(files["ca"], files["client"], files["client_key"])) as client:
            assert len(client.parse("hello").results) == 1
        with Client(address, tls=Tls(files["ca"])) as stranger, pytest.raises(UnavailableError):
            stranger.parse("hello")
        with Client(address) as plain, pytest.raises(UnavailableError):
            plain.parse("hello")
