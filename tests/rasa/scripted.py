"""A service that says what a test tells it to and keeps what it was asked; runs in Rasa too."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from nlu.v1 import nlu_pb2, nlu_pb2_grpc

VERSION = nlu_pb2.SkillVersionRef(name="concierge", version=1, sha256="ab" * 32)


class ScriptedServicer(nlu_pb2_grpc.NluServiceServicer):
    """Answers the first of `intents`, and the first five characters as a `city`, unless `code` refuses.

    slots: name, role and value of others instead. parsed: the requests of `Parse`; batches: the sizes of
    those of `BatchParse`.
    """

    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None
        self.outcome = nlu_pb2.OUTCOME_MATCHED
        self.version = VERSION
        self.kind = nlu_pb2.SKILL_KIND_INTENT_SLOTS
        self.intents = [("greet", 0.75), ("leave", 0.25)]
        self.slots: list[tuple[str, str, str]] | None = None
        self.grammar: nlu_pb2.GrammarResult | None = None
        self.parsed: list[nlu_pb2.ParseRequest] = []
        self.batches: list[int] = []

    def Parse(self, request: nlu_pb2.ParseRequest, context: Any) -> nlu_pb2.ParseResponse:
        self.parsed.append(request)
        self._refuse(context)
        return self._response(request)

    def BatchParse(self, request: nlu_pb2.BatchParseRequest, context: Any) -> nlu_pb2.BatchParseResponse:
        self.batches.append(len(request.requests))
        self._refuse(context)
        items = [nlu_pb2.BatchParseItem(response=self._response(each)) for each in request.requests]
        return nlu_pb2.BatchParseResponse(items=items)

    def ListSkills(self, request: nlu_pb2.ListSkillsRequest, context: Any) -> nlu_pb2.ListSkillsResponse:
        self._refuse(context)
        served = nlu_pb2.ServedVersion(skill=self.version, kind=self.kind, aliases=["live"])
        return nlu_pb2.ListSkillsResponse(skills=[served])

    def GetSkill(self, request: nlu_pb2.GetSkillRequest, context: Any) -> nlu_pb2.GetSkillResponse:
        self._refuse(context)
        if request.skill.name != self.version.name:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no skill {request.skill.name}@live")
        return nlu_pb2.GetSkillResponse(skill=self.version, kind=self.kind, labels=["greet"])

    def _refuse(self, context: Any) -> None:
        if self.code is not None:
            context.abort(self.code, "as the test says")

    def _response(self, request: nlu_pb2.ParseRequest) -> nlu_pb2.ParseResponse:
        end = min(5, len(request.text))
        raw, span = request.text[:end], nlu_pb2.Span(start=0, end=end)
        slots = [("city", "", raw.upper())] if self.slots is None else self.slots
        ranking = [nlu_pb2.Intent(name=name, confidence=confidence) for name, confidence in self.intents]
        result = nlu_pb2.SkillResult(
            skill=self.version,
            kind=self.kind,
            outcome=self.outcome,
            intent=nlu_pb2.IntentResult(ranking=ranking),
            slots=nlu_pb2.SlotsResult(
                slots=[
                    nlu_pb2.Slot(name=name, role=role, value=value, raw=raw, span=span, confidence=0.75)
                    for name, role, value in slots
                ]
            ),
            grammar=self.grammar,
        )
        return nlu_pb2.ParseResponse(request_id="r1", results=[result])


@contextmanager
def serving(servicer: ScriptedServicer, address: str = "127.0.0.1:0") -> Iterator[str]:
    """Serve until the end of the block; gives the address."""
    server = grpc.server(ThreadPoolExecutor(8))
    nlu_pb2_grpc.add_NluServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
