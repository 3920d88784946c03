"""What Prometheus reads, by its own parser, on a socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nlu.metrics import serving_metrics
from nlu.v1 import nlu_pb2
from skills.errors import InputError
from skills.traffic import Traffic

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

SESSIONS = 20


def publish(server: Any) -> None:
    server.publish("alpha", seed=1)
    server.publish("alpha", seed=2, alias="candidate")


def read(url: str) -> dict[tuple[str, frozenset[str]], float]:
    """Return the samples by name and the values of their labels."""
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(httpx.get(url).text)
        for sample in family.samples
    }


@pytest.mark.asyncio
async def test_a_trial_is_told_by_version_with_its_agreement(serve: Serve) -> None:
    async with serve(prepare=publish) as server:
        server.catalog.trials.set("alpha", Traffic(canary=0.5, shadow=1.0))
        await asyncio.to_thread(server.service.registry.refresh)
        for number in range(SESSIONS):
            context = nlu_pb2.ParseContext(session_id=f"session {number}")
            await server.stub.Parse(nlu_pb2.ParseRequest(text="x", context=context))
        with serving_metrics(server.service, "127.0.0.1:0") as url:
            found = await asyncio.to_thread(read, url)
        [trial] = server.service.parser.trials.trials.values()

    def told(name: str, *labels: str) -> float:
        return found[f"softspoken_{name}", frozenset(labels)]

    canary = told("trial_requests_total", "alpha", "2", "canary")
    assert 0 < canary < SESSIONS
    assert told("trial_requests_total", "alpha", "1", "live") == SESSIONS - canary
    assert told("trial_requests_total", "alpha", "2", "shadow") == trial.shadow.requests
    assert told("trial_seconds_total", "alpha", "1", "live") == trial.live.seconds > 0
    assert told("trial_agreed_total", "alpha", "1", "2") == trial.agreed
    assert told("catalog_revision") == server.catalog.revision()
    assert (told("skill_versions", "served"), told("skill_versions", "refused")) == (2, 0)
    assert told("skill_memory_bytes") == server.service.registry.resident_bytes > 0


@pytest.mark.asyncio
async def test_an_address_that_cannot_be_listened_on_is_refused_by_name(serve: Serve) -> None:
    async with serve(prepare=publish) as server:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            with pytest.raises(InputError, match=f"cannot listen on {address} for metrics"):
                with serving_metrics(server.service, address):
                    pass
        with pytest.raises(InputError, match="cannot listen on nowhere for metrics"):
            with serving_metrics(server.service, "nowhere"):
                pass
