"""What Prometheus reads, by its own parser, on a socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nlu.instruments import MORE, VERSIONS, Instruments
from nlu.job_watch import JobWatch
from nlu.metrics import serving_metrics
from nlu.v1 import nlu_pb2
from skills.errors import InputError
from skills.job import JobRequest, JobState
from skills.skill import SkillKind, SkillRef
from skills.traffic import Traffic

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]
Samples: TypeAlias = dict[tuple[str, frozenset[str]], float]

SESSIONS = 20

pytestmark = pytest.mark.asyncio


class Metered:
    """A server, and what its metrics say."""

    def __init__(self, server: Any, url: str) -> None:
        self.server = server
        self._url = url

    async def read(self) -> Callable[..., float]:
        """Return a function from a metric and the values of its labels to its value."""
        samples = await asyncio.to_thread(read, self._url)
        return lambda name, *labels: samples[f"softspoken_{name}", frozenset(labels)]

    async def refresh(self) -> None:
        await asyncio.to_thread(self.server.service.registry.refresh)


def read(url: str) -> Samples:
    """Return the samples by name and the values of their labels."""
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(httpx.get(url).text)
        for sample in family.samples
    }


@pytest.fixture
def metered(serve: Serve) -> Callable[..., AbstractAsyncContextManager[Metered]]:
    @asynccontextmanager
    async def run(**options: Any) -> AsyncIterator[Metered]:
        instruments = Instruments()
        async with serve(observer=instruments, **options) as server:
            async with serving_metrics(server.service, instruments, "127.0.0.1:0") as url:
                yield Metered(server, url)

    return run


Meter: TypeAlias = Callable[..., AbstractAsyncContextManager[Metered]]


def publish_two_versions(server: Any) -> None:
    server.publish("alpha", seed=1)
    server.publish("alpha", seed=2, alias="candidate")


def publish_all_kinds(server: Any) -> None:
    server.publish("alpha", seed=1)
    server.publish("beta", SkillKind.SLOTS, seed=2)
    server.publish("gamma", SkillKind.GRAMMAR, seed=3)


async def test_calls_and_errors_are_told_by_method_code_and_reason(metered: Meter) -> None:
    async with metered() as each:
        stub = each.server.stub
        before = await each.read()
        await stub.Parse(nlu_pb2.ParseRequest(text="x"))
        unknown = nlu_pb2.ParseRequest(text="x", skills=[nlu_pb2.SkillRef(name="nobody")])
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Parse(unknown)
        batch = nlu_pb2.BatchParseRequest(requests=[unknown, nlu_pb2.ParseRequest(text="x")])
        await stub.BatchParse(batch)
        told = await each.read()

    assert before("errors_total", "NOT_FOUND", "UNKNOWN_SKILL") == 0  # known from the start
    assert told("errors_total", "NOT_FOUND", "UNKNOWN_SKILL") == 2  # of a call, and of an item
    assert told("requests_total", "Parse", "OK") == told("requests_total", "Parse", "NOT_FOUND") == 1
    assert told("requests_total", "BatchParse", "OK") == 1
    assert told("request_seconds_count", "Parse") == 2


async def test_answers_are_told_by_skill_and_version(metered: Meter) -> None:
    async with metered(prepare=publish_all_kinds) as each:
        for text in ("xe", "", "abc"):
            await each.server.parse(text)
        told = await each.read()

    outcomes = ("matched", "ambiguous", "out-of-scope")
    for skill in ("alpha", "beta", "gamma"):
        assert sum(told("answers_total", skill, "1", outcome) for outcome in outcomes) == 2
        assert told("answers_total", skill, "1", "empty-input") == 1
        assert told("latency_seconds_count", skill, "1", "whole") == 3
        for stage in ("tokenise", "queue", "inference"):
            assert told("latency_seconds_count", skill, "1", stage) == 2  # a blank text passes none
        parts = sum(told("latency_seconds_sum", skill, "1", stage) for stage in ("queue", "inference"))
        assert 0 < parts < told("latency_seconds_sum", skill, "1", "whole")
    assert told("confidence_count", "alpha", "1") == told("confidence_count", "gamma", "1") == 2
    assert 0 < told("confidence_sum", "alpha", "1") < 2


async def test_batches_are_told_with_their_padding_and_what_waits(metered: Meter) -> None:
    async with metered(row_cache=1 << 20) as each:
        before = await each.read()  # the warm-ups
        first = await each.server.occupy()
        others = [asyncio.create_task(each.server.parse(text, "alpha")) for text in ("a", "abc")]
        await each.server.batcher.until_accepted(3)
        during = await each.read()
        each.server.engine.gate.set()
        await asyncio.gather(first, *others)
        await each.server.parse("abc", "alpha")
        after = await each.read()

    assert during("queue_rows", "encoder") == 2
    assert after("queue_rows", "encoder") == after("queue_rows", "corrector") == 0

    def grown(name: str) -> float:
        return after(name, "encoder") - before(name, "encoder")

    assert grown("batch_rows_count") == 2
    assert grown("batch_rows_sum") == 3
    assert grown("batch_tokens_sum") == len("first") + len("a") + len("abc") + 3  # their ends
    assert grown("batch_padding_tokens_total") == len("abc") - len("a")
    assert after("row_cache_rows_total", "encoder", "miss") == 3
    assert after("row_cache_rows_total", "encoder", "hit") == 1
    assert after("row_cache_bytes", "encoder") == each.server.service.parser.reader.batchers["encoder"].bytes


async def test_a_version_that_is_gone_is_read_once_more(metered: Meter) -> None:
    async with metered() as each:
        await each.server.parse("x", "alpha")
        each.server.publish("alpha", seed=7)
        await each.refresh()
        await each.server.parse("x", "alpha")
        first, second = await each.read(), await each.read()

    assert first("latency_seconds_count", "alpha", "1", "whole") == 1
    assert second("latency_seconds_count", "alpha", "2", "whole") == 1
    assert second("swaps_total") == 2
    with pytest.raises(KeyError):
        second("latency_seconds_count", "alpha", "1", "whole")
    with pytest.raises(KeyError):
        second("answers_total", "alpha", "1", "matched")


async def test_the_versions_that_are_told_apart_are_bounded() -> None:
    instruments = Instruments()
    for number in range(VERSIONS):
        instruments._version((f"skill-{number}", "1"))
    assert instruments._version(("another", "1")) is instruments._version(MORE)
    assert instruments._version(("skill-0", "1")) is not instruments._version(MORE)


async def test_a_catalog_that_is_away_is_told_by_its_age(
    metered: Meter, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with metered() as each:
        fresh = await each.read()
        registry = each.server.service.registry
        monkeypatch.setattr(registry, "read_at", registry.read_at - 100)
        stale = await each.read()
        await each.refresh()
        again = await each.read()
        revision = each.server.catalog.revision()
    assert fresh("catalog_age_seconds") < 100 <= stale("catalog_age_seconds")
    assert again("catalog_age_seconds") < 100
    assert again("catalog_revision") == revision
    assert again("skill_memory_bytes") == registry.resident_bytes > 0


async def test_jobs_are_told_by_state_and_what_they_took(metered: Meter) -> None:
    async with metered() as each:
        jobs, told = each.server.catalog.jobs, []
        watch = JobWatch(jobs, lambda state, seconds: told.append(state))
        jobs.submit(JobRequest("alpha", SkillKind.INTENT), b"rows")
        jobs.fail(jobs.claim("worker"), "broken", retry=False)
        watch.look()
        assert told == []  # it was before the first look
        jobs.cancel(jobs.submit(JobRequest("alpha", SkillKind.INTENT), b"rows").id)
        jobs.submit(JobRequest("alpha", SkillKind.INTENT), b"rows")
        for _ in range(2):
            watch.look()
        instruments = Instruments()
        async with serving_metrics(each.server.service, instruments, "127.0.0.1:0") as url:
            while "softspoken_jobs{" not in await asyncio.to_thread(lambda: httpx.get(url).text):
                await asyncio.sleep(0.01)
            told_to_prometheus = await Metered(each.server, url).read()

    assert told == [JobState.CANCELLED]
    assert watch.last is not None
    assert watch.last.counts[JobState.FAILED] == watch.last.counts[JobState.QUEUED] == 1
    assert told_to_prometheus("jobs", "failed") == told_to_prometheus("jobs", "queued") == 1
    assert told_to_prometheus("job_waiting_seconds") > 0
    assert told_to_prometheus("job_seconds_count", "failed") == 0


async def test_a_trial_is_told_by_version_with_its_agreement(metered: Meter) -> None:
    async with metered(prepare=publish_two_versions) as each:
        server = each.server
        server.catalog.trials.set("alpha", Traffic(canary=0.5, shadow=1.0))
        await each.refresh()
        for number in range(SESSIONS):
            context = nlu_pb2.ParseContext(session_id=f"session {number}")
            await server.stub.Parse(nlu_pb2.ParseRequest(text="x", context=context))
        told = await each.read()
        [trial] = server.service.parser.trials.trials.values()
        server.catalog.promote(SkillRef("alpha", 2))
        await each.refresh()
        after = await each.read()

    canary = told("trial_requests_total", "alpha", "2", "canary")
    assert 0 < canary < SESSIONS
    assert told("trial_requests_total", "alpha", "1", "live") == SESSIONS - canary
    assert told("trial_requests_total", "alpha", "2", "shadow") == trial.shadow.requests
    assert told("trial_seconds_total", "alpha", "1", "live") == trial.live.seconds > 0
    assert told("trial_agreed_total", "alpha", "1", "2") == trial.agreed
    assert (told("skill_versions", "served"), told("skill_versions", "refused")) == (2, 0)
    with pytest.raises(KeyError):
        after("trial_agreed_total", "alpha", "1", "2")  # no alias names the first any more


async def test_an_address_that_cannot_be_listened_on_is_refused_by_name(serve: Serve) -> None:
    async with serve() as server:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            for wrong in (address, "nowhere"):
                with pytest.raises(InputError, match=f"cannot listen on {wrong} for metrics"):
                    async with serving_metrics(server.service, Instruments(), wrong):
                        pass
