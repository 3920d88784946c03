"""OpenTelemetry traces of calls, down to the batches that answered them (docs/observability.md).

No utterance, no label and no key gets into a span: it tells who waited for what, and for how long.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.context import attach
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nlu.observer import Answered, Observer
from nlu.status import Status
from skills.errors import InputError

SCHEMES = ("http", "https")
EXPORT_SECONDS = 2.0  # for a batch of spans, with all tries: a stop waits for the last one
# How the codes of gRPC and HTTP begin that the server is to blame for.
FAULTS = ("INTERNAL", "UNAVAILABLE", "5")

_W3C = TraceContextTextMapPropagator()


class Tracing(Observer):
    """Makes a span of every call, one of every utterance in it, and one of each step of that.

    What goes where, and which calls are sampled, is set by the OTEL_ variables of the SDK.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        name = Resource({"service.name": "softspoken", "service.version": version("softspoken")})
        self._provider = TracerProvider(resource=name.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("softspoken")

    @classmethod
    def to(cls, endpoint: str) -> Tracing:
        """Send spans to an OTLP collector over gRPC; https is encrypted, http is not.

        Raises:
            InputError: the endpoint is no URL.
        """
        url = urlsplit(endpoint)
        if url.scheme not in SCHEMES or not url.hostname:
            raise InputError(
                f"otlp is {endpoint!r}: give the URL of a collector's gRPC port, such as "
                "http://localhost:4317",
                field="otlp",
            )
        return cls(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_SECONDS)))

    def began(self, metadata: Iterable[tuple[str, str | bytes]], request_id: str) -> None:
        carrier = {key: value for key, value in metadata if key in _W3C.fields and isinstance(value, str)}
        span = self._tracer.start_span(
            "call",  # which one, its end tells
            _W3C.extract(carrier),
            kind=SpanKind.SERVER,
            attributes={"softspoken.request_id": request_id},
        )
        attach(set_span_in_context(span))  # of the task that answers the call, and ends with it

    def failed(self, status: Status) -> None:
        get_current_span().add_event("error", {"code": status.code.name, "reason": status.reason})

    def answered(self, answer: Answered) -> None:
        if not get_current_span().is_recording():
            return
        offset = time.time() - time.monotonic()
        reading = answer.reading
        request = {"softspoken.request_id": answer.request.request_id}
        whole = self._tracer.start_span(
            "parse", start_time=_nanoseconds(offset + answer.began), attributes=request
        )
        inside = set_span_in_context(whole)

        def add(name: str, began: float, seconds: float, **attributes: str | int) -> None:
            named = {f"softspoken.{key}": value for key, value in attributes.items()}
            start = offset + began
            span = self._tracer.start_span(name, inside, start_time=_nanoseconds(start), attributes=named)
            span.end(_nanoseconds(start + seconds))

        add("tokenise", reading.began, reading.timings.tokenise_us / 1e6)
        for result, steps in zip(reading.results, reading.steps, strict=True):
            for step in steps:
                of_version: dict[str, Any] = {"skill": result.skill, "version": result.version}
                add("queue", step.began - step.queue_seconds, step.queue_seconds, **of_version)
                add("inference", step.began, step.seconds, batch_rows=step.batch_rows, **of_version)
        whole.end(_nanoseconds(offset + answer.ended))

    def ended(self, method: str, code: str, seconds: float) -> None:
        span = get_current_span()
        span.update_name(method)
        _describe(span, method, code)
        span.end()

    def close(self) -> None:
        self._provider.shutdown()  # sends what is left


def _describe(span: Span, method: str, code: str) -> None:
    """Name the call as OpenTelemetry's conventions for RPC and HTTP have it."""
    if method.startswith("/"):
        span.set_attributes({"http.route": method, "http.response.status_code": int(code)})
    else:
        service, _, name = method.partition("/")
        span.set_attributes({"rpc.system": "grpc", "rpc.service": service, "rpc.method": name})
        span.set_attribute("rpc.response.status_code", code)
    if code.startswith(FAULTS):
        span.set_status(StatusCode.ERROR)


def _nanoseconds(seconds: float) -> int:
    return round(1e9 * seconds)
