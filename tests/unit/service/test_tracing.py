"""Spans as the SDK keeps them, and as a real collector gets them over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc
import httpx
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from nlu.http.app import make_app
from nlu.http.server import serving_http
from nlu.observer import Observers
from nlu.tracing import Tracing
from nlu.v1 import nlu_pb2
from skills.errors import InputError
from skills.skill import SkillKind
from tests import collector as of_collector
from tests.collector import Collector

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

TRACE, CALLER = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
TRACEPARENT = f"00-{TRACE:032x}-{CALLER:016x}-01"
SAID = "xe six"  # an utterance, which no span may have
METHOD = "softspoken.nlu.v1.NluService"

collector = of_collector.collector


def in_memory() -> tuple[Tracing, Any]:
    exporter = InMemorySpanExporter()
    return Tracing(SimpleSpanProcessor(exporter)), exporter


def publish(server: Any) -> None:
    server.publish("alpha", seed=1)
    server.publish("gamma", SkillKind.GRAMMAR, seed=3)


def named(spans: Iterable[Any], name: str) -> list[Any]:
    return [span for span in spans if span.name == name]


async def test_a_call_is_a_trace_down_to_the_batches_that_goes_on_where_the_caller_was(serve: Serve) -> None:
    tracing, exporter = in_memory()
    async with serve(observer=tracing, prepare=publish) as server:
        request = nlu_pb2.ParseRequest(text=SAID, request_id="abc")
        await server.stub.Parse(
            request, metadata=(("traceparent", TRACEPARENT), ("authorization", "Bearer s"))
        )
    spans = exporter.get_finished_spans()

    [call], [parse], [tokenise] = (
        named(spans, f"{METHOD}/Parse"),
        named(spans, "parse"),
        named(spans, "tokenise"),
    )
    assert {span.context.trace_id for span in spans} == {TRACE}
    assert call.parent.span_id == CALLER
    assert call.kind is SpanKind.SERVER
    assert parse.parent.span_id == call.context.span_id
    assert dict(call.attributes) == {
        "softspoken.request_id": "abc",
        "rpc.system": "grpc",
        "rpc.service": METHOD,
        "rpc.method": "Parse",
        "rpc.response.status_code": "OK",
    }
    steps = [*named(spans, "queue"), *named(spans, "inference")]
    assert {span.parent.span_id for span in (tokenise, *steps)} == {parse.context.span_id}
    assert {span.attributes["softspoken.skill"] for span in steps} == {"alpha", "gamma"}
    assert all(span.attributes["softspoken.version"] == 1 for span in steps)
    assert {span.attributes["softspoken.batch_rows"] for span in named(spans, "inference")} <= {1, 2}
    for span in spans:
        assert call.start_time <= span.start_time <= span.end_time <= call.end_time
        assert SAID not in span.to_json() and "Bearer" not in span.to_json()


async def test_without_a_callers_trace_there_is_a_new_one_and_errors_are_events(serve: Serve) -> None:
    tracing, exporter = in_memory()
    async with serve(observer=Observers([tracing])) as server:
        unknown = nlu_pb2.ParseRequest(text=SAID, skills=[nlu_pb2.SkillRef(name="nobody")])
        items = nlu_pb2.BatchParseRequest(requests=[unknown, nlu_pb2.ParseRequest(text="x")])
        await server.stub.BatchParse(items)
        with pytest.raises(grpc.aio.AioRpcError):
            await server.stub.Parse(unknown)
    first, second = (span for span in exporter.get_finished_spans() if span.name.startswith(METHOD))
    assert first.context.trace_id != second.context.trace_id
    assert first.parent is second.parent is None
    for span in (first, second):
        [event] = span.events
        assert dict(event.attributes) == {"code": "NOT_FOUND", "reason": "UNKNOWN_SKILL"}
        assert span.status.status_code is StatusCode.UNSET  # the caller's mistake
    [parse] = named(exporter.get_finished_spans(), "parse")
    assert parse.parent.span_id == first.context.span_id


async def test_http_calls_are_traces_too(serve: Serve) -> None:
    tracing, exporter = in_memory()
    async with serve(observer=tracing) as server:
        app = make_app(server.servicer.running, "", observer=tracing)
        async with serving_http(app, "127.0.0.1:0", grace_seconds=1) as url:
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                headers = {"traceparent": TRACEPARENT, "x-request-id": "abc"}
                await client.post("/model/parse", json={"text": SAID}, headers=headers)
                await client.get("/nowhere")
    spans = exporter.get_finished_spans()
    [call], [parse], [lost] = named(spans, "/model/parse"), named(spans, "parse"), named(spans, "/*")
    assert (call.parent.span_id, call.attributes["softspoken.request_id"]) == (CALLER, "abc")
    assert (call.attributes["http.route"], call.attributes["http.response.status_code"]) == (
        "/model/parse",
        200,
    )
    assert parse.parent.span_id == call.context.span_id
    assert lost.attributes["http.response.status_code"] == 404


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("OK", StatusCode.UNSET),
        ("CANCELLED", StatusCode.UNSET),
        ("INTERNAL", StatusCode.ERROR),
        ("UNAVAILABLE", StatusCode.ERROR),
    ],
)
async def test_only_what_the_server_is_to_blame_for_is_an_error(code: str, status: StatusCode) -> None:
    tracing, exporter = in_memory()
    tracing.began((), "abc")
    tracing.ended(f"{METHOD}/Parse", code, 0.1)
    [span] = exporter.get_finished_spans()
    assert span.status.status_code is status


async def test_a_collector_gets_the_spans_over_grpc(serve: Serve, collector: tuple[str, Collector]) -> None:
    endpoint, kept = collector
    tracing = Tracing.to(endpoint)
    async with serve(observer=tracing) as server:
        await server.parse(SAID, "alpha")
    await asyncio.to_thread(tracing.close)  # sends them
    assert sorted(span.name for span in kept.spans) == [
        "inference",
        "parse",
        "queue",
        f"{METHOD}/Parse",
        "tokenise",
    ]
    attributes = {each.key: each.value.string_value for each in kept.resources[0].resource.attributes}
    assert attributes["service.name"] == "softspoken"
    assert SAID.encode() not in kept.data


@pytest.mark.parametrize("endpoint", ["localhost:4317", "4317", "ftp://x:1", "http://"])
async def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(InputError, match="otlp is"):
        Tracing.to(endpoint)
