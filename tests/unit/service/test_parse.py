from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from nlu.backbone import MAX_TOKENS
from nlu.v1 import nlu_pb2

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

CODE_POINTS = nlu_pb2.OFFSET_UNIT_CODE_POINTS
UTF16_UNITS = nlu_pb2.OFFSET_UNIT_UTF16_UNITS
UTF8_BYTES = nlu_pb2.OFFSET_UNIT_UTF8_BYTES
EMOJI, FAMILY = "\N{GRINNING FACE}", "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"
COMBINING, HEBREW = "e\N{COMBINING ACUTE ACCENT}", "שלום"


def request(text: str, *skills: str, **options: Any) -> nlu_pb2.ParseRequest:
    return nlu_pb2.ParseRequest(
        text=text,
        skills=[nlu_pb2.SkillRef(name=name) for name in skills],
        options=nlu_pb2.ParseOptions(**options),
    )


def details(error: grpc.aio.AioRpcError, kind: type[Any]) -> Any:
    """The google.rpc detail of one kind."""
    status = RpcStatus.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    message = kind()
    assert any(packed.Unpack(message) for packed in status.details if packed.Is(kind.DESCRIPTOR))
    return message


async def test_all_live_skills_answer_in_the_order_of_their_names(serve: Serve) -> None:
    async with serve() as server:
        response = await server.stub.Parse(
            nlu_pb2.ParseRequest(text="hello", request_id="abc", options=nlu_pb2.ParseOptions(n_best=2))
        )
        versions = server.catalog.aliased()

    assert response.request_id == "abc"
    assert response.backbone == server.service.backbone.fingerprint
    assert [(each.skill.name, each.skill.version) for each in response.results] == [("alpha", 1), ("beta", 1)]
    assert [each.skill.sha256 for each in response.results] == [version.sha256 for version in versions]
    assert response.timings.batch_rows == 2
    for result in response.results:
        confidences = [intent.confidence for intent in result.intent.ranking]
        assert result.kind == nlu_pb2.SKILL_KIND_INTENT
        assert result.outcome in (nlu_pb2.OUTCOME_MATCHED, nlu_pb2.OUTCOME_AMBIGUOUS)
        assert len(confidences) == 2 and confidences == sorted(confidences, reverse=True)


async def test_the_asked_skills_answer_in_the_order_asked(serve: Serve) -> None:
    async with serve() as server:
        response = await server.parse("hello", "beta", "alpha", "beta")
    assert [each.skill.name for each in response.results] == ["beta", "alpha", "beta"]
    assert response.results[0] == response.results[2]


async def test_a_version_or_an_alias_can_be_asked(serve: Serve) -> None:
    def prepare(server: Any) -> None:
        for seed, alias in enumerate([None, "live", "candidate"]):
            server.publish("alpha", seed=seed, alias=alias)

    refs: list[dict[str, Any]] = [
        {},
        {"version": 1},
        {"version": 2},
        {"version": 3},
        {"alias": "candidate"},
        {"alias": "live"},
    ]
    async with serve(prepare=prepare) as server:
        response = await server.stub.Parse(
            nlu_pb2.ParseRequest(text="x", skills=[nlu_pb2.SkillRef(name="alpha", **ref) for ref in refs])
        )
    assert [each.skill.version for each in response.results] == [2, 1, 2, 3, 3, 2]


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\N{IDEOGRAPHIC SPACE}"])
async def test_a_blank_text_is_answered_without_the_engine(serve: Serve, text: str) -> None:
    async with serve() as server:
        response = await server.parse(text, "alpha")
    assert response.results[0].outcome == nlu_pb2.OUTCOME_EMPTY_INPUT
    assert not response.results[0].intent.ranking
    assert not server.engine.batches


async def test_below_the_asked_confidence_the_answer_is_out_of_scope(serve: Serve) -> None:
    async with serve() as server:
        response = await server.stub.Parse(request("hello", "alpha", min_confidence=1.0))
    assert response.results[0].outcome == nlu_pb2.OUTCOME_OUT_OF_SCOPE
    assert response.results[0].intent.ranking


@pytest.mark.parametrize(
    ("text", "unit", "end"),
    [
        ("abc", nlu_pb2.OFFSET_UNIT_UNSPECIFIED, 3),
        (f"a{EMOJI}", CODE_POINTS, 2),
        (f"a{EMOJI}", UTF16_UNITS, 3),
        (f"a{EMOJI}", UTF8_BYTES, 5),
        (FAMILY, CODE_POINTS, 3),
        (FAMILY, UTF16_UNITS, 5),
        (FAMILY, UTF8_BYTES, 11),
        (COMBINING, CODE_POINTS, 2),
        (COMBINING, UTF16_UNITS, 2),
        (COMBINING, UTF8_BYTES, 3),
        (HEBREW, CODE_POINTS, 4),
        (HEBREW, UTF16_UNITS, 4),
        (HEBREW, UTF8_BYTES, 8),
        (EMOJI * 300, CODE_POINTS, MAX_TOKENS - 1),  # the last token ends the text
        (EMOJI * 300, UTF16_UNITS, 2 * (MAX_TOKENS - 1)),
        (EMOJI * 300, UTF8_BYTES, 4 * (MAX_TOKENS - 1)),
    ],
)
async def test_the_part_that_was_read_is_in_the_asked_unit(
    serve: Serve, text: str, unit: nlu_pb2.OffsetUnit, end: int
) -> None:
    async with serve() as server:
        response = await server.stub.Parse(request(text, "alpha", offset_unit=unit))
    assert response.read == nlu_pb2.Span(start=0, end=end)


async def test_2000_characters_of_any_script_are_accepted(serve: Serve) -> None:
    async with serve() as server:
        response = await server.parse("\N{GRINNING FACE}" * 2000, "alpha")
    assert len(response.results) == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (request("x" * 2001), "text"),
        (request("x", n_best=101), "options.n_best"),
        (request("x", min_confidence=math.nan), "options.min_confidence"),
        (request("x", min_confidence=1.5), "options.min_confidence"),
        (request("x", min_confidence=-0.1), "options.min_confidence"),
        (request("x", offset_unit=99), "options.offset_unit"),
        (request("x", "alpha", "Not A Name"), "skills[1].name"),
        (request("x", ""), "skills[0].name"),
        (request("x", "n" * 100_000), "skills[0].name"),
        (
            nlu_pb2.ParseRequest(text="x", skills=[nlu_pb2.SkillRef(name="alpha", alias="A b")]),
            "skills[0].alias",
        ),
        (request("x", *["alpha"] * 65), "skills"),
        (nlu_pb2.ParseRequest(text="x", request_id="two words"), "request_id"),
    ],
)
async def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    serve: Serve, wrong: nlu_pb2.ParseRequest, field: str
) -> None:
    async with serve() as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.Parse(wrong)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [each.field for each in details(caught.value, BadRequest).field_violations] == [field]


@pytest.mark.parametrize(
    "ref",
    [
        {"name": "gamma"},
        {"name": "alpha", "version": 0},
        {"name": "alpha", "version": 2},
        {"name": "alpha", "version": 2**32 - 1},
        {"name": "alpha", "alias": "candidate"},
        {"name": "alpha", "alias": "1"},
    ],
)
@pytest.mark.parametrize("method", ["Parse", "GetSkill"])
async def test_an_unknown_skill_is_never_replaced_by_another(
    serve: Serve, ref: dict[str, Any], method: str
) -> None:
    skill = nlu_pb2.SkillRef(**ref)
    asked = {
        "Parse": nlu_pb2.ParseRequest(text="x", skills=[nlu_pb2.SkillRef(name="alpha"), skill]),
        "GetSkill": nlu_pb2.GetSkillRequest(skill=skill),
    }
    async with serve() as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(server.stub, method)(asked[method])
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert details(caught.value, ErrorInfo).reason == "UNKNOWN_SKILL"
    assert ref["name"] in (caught.value.details() or "")


async def test_without_a_live_skill_a_request_for_all_is_refused(serve: Serve) -> None:
    async with serve(prepare=lambda server: None) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.parse("hello")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_full_queue_says_when_to_try_again(serve: Serve) -> None:
    async with serve(queue_rows=1) as server:
        first = await server.occupy()
        second = asyncio.create_task(server.parse("second", "alpha"))
        await server.batcher.until_accepted(2)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.parse("third", "alpha")
        server.engine.gate.set()
        await asyncio.gather(first, second)

    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert details(caught.value, RetryInfo).retry_delay.ToNanoseconds() > 0


async def test_a_row_whose_caller_ran_out_of_time_never_reaches_the_engine(serve: Serve, logged: Any) -> None:
    async with serve() as server:
        first = await server.occupy()

        async with logged("Parse CANCELLED"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await server.stub.Parse(request("late", "alpha"), timeout=0.05)
        server.engine.gate.set()
        await first
        await server.parse("after", "alpha")

    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert [len(ids) for batch in server.engine.batches for ids in batch] == [
        len("first") + 1,
        len("after") + 1,
    ]


@pytest.mark.parametrize(
    ("method", "asked"),
    [
        ("Parse", request("hello")),
        ("BatchParse", nlu_pb2.BatchParseRequest()),
        ("ListSkills", nlu_pb2.ListSkillsRequest()),
        ("GetSkill", nlu_pb2.GetSkillRequest()),
    ],
)
async def test_before_the_model_is_loaded_calls_are_unavailable(
    unready: Callable[[], AbstractAsyncContextManager[Any]], method: str, asked: Any
) -> None:
    async with unready() as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(stub, method)(asked)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "loading" in (caught.value.details() or "")
