"""Skills of all kinds in one call. Heads are solved for, so that first letters decide what a word is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc
import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status as RpcStatus

from nlu.grammar_head import GrammarHead
from nlu.prompt import DecoderPrompt, Floats, Prompt
from nlu.slot_head import SlotHead
from nlu.v1 import nlu_pb2
from skills.resolution import Resolver
from skills.skill import SkillKind
from skills.slot import SlotLabel

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

SMILE = "\N{GRINNING FACE}"
CITY, PERSON, COUNT = SlotLabel("city", "to", "1"), SlotLabel("person"), SlotLabel("count")
TAGS = {"d": 1, "n": 1, "y": 2, "s": 3, "b": 3}  # B-city, I-city, B-person; any other letter is O
PUSH = 7.5  # of an expected slot's vectors; their mean over all five is 3


def solved(server: Any, wanted: Floats, *, pushed: Floats) -> Floats:
    """Weights that give each token's feature its row of `wanted`, and the pushed one the last row."""
    table = np.vstack([server.engine._embedding, np.ones((1, 32), np.float32)])
    features = table / np.linalg.norm(table, axis=1, keepdims=True) * np.sqrt(32)
    solution, *_ = np.linalg.lstsq(features, np.vstack([wanted, pushed]), rcond=None)
    weights: Floats = solution.T.astype(np.float32)
    return weights


def prompt(server: Any) -> Prompt:
    shape = server.service.backbone.shape
    return Prompt(deep=np.zeros((shape.prompted_layers, 2, 3, shape.d_attention), np.float32))


def slot_head(server: Any) -> SlotHead:
    shape, tokenizer = server.service.backbone.shape, server.service.backbone.tokenizer
    wanted = np.zeros((30, 7), np.float32)
    for token, token_id in tokenizer.get_vocab().items():
        wanted[token_id, TAGS.get(token, 0)] = 9.0
    pushed = np.eye(1, 7, 5, dtype=np.float32) * 9.0  # B-count
    weights = solved(server, wanted, pushed=pushed)
    expected = np.full((1, shape.prompted_layers, 2, 2, shape.d_attention), PUSH, np.float32)
    labels, bias = (CITY, PERSON, COUNT), np.zeros(7, np.float32)
    return SlotHead(labels, weights, bias, 1.0, Resolver({}), expected, ("count",))


def grammar_head(server: Any) -> GrammarHead:
    backbone = server.service.backbone
    wanted = np.zeros((30, 1), np.float32)
    wanted[backbone.tokenizer.token_to_id("x")] = 1.0
    detector = solved(server, wanted, pushed=np.zeros((1, 1), np.float32))[0]
    layers = (backbone.decoder_shape.num_layers, 2, 1, backbone.shape.d_attention)
    vectors = np.zeros(layers, np.float32)
    return GrammarHead(detector, 0.0, 20.0, -10.0, 0.5, DecoderPrompt(vectors, vectors))


def publish_all(server: Any) -> None:
    heads = {"prompt": prompt(server), "slots": slot_head(server)}
    server.publish("colours")
    server.publish(
        "grammar", SkillKind.GRAMMAR, heads={"prompt": prompt(server), "grammar": grammar_head(server)}
    )
    server.publish("slots", SkillKind.SLOTS, heads=heads)
    server.publish("travel", SkillKind.JOINT, heads=heads)


def request(text: str, *skills: str, context: Any = None, **options: Any) -> nlu_pb2.ParseRequest:
    return nlu_pb2.ParseRequest(
        text=text,
        skills=[nlu_pb2.SkillRef(name=name) for name in skills],
        context=context,
        options=nlu_pb2.ParseOptions(**options),
    )


def found(result: nlu_pb2.SkillResult) -> list[tuple[str, str, int, int]]:
    return [(slot.name, slot.raw, slot.span.start, slot.span.end) for slot in result.slots.slots]


def wrong_field(error: grpc.aio.AioRpcError) -> str:
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = RpcStatus.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    violations = BadRequest()
    [detail] = status.details
    assert detail.Unpack(violations)
    return str(violations.field_violations[0].field)


async def test_all_kinds_answer_from_one_batch(serve: Serve) -> None:
    async with serve(prepare=publish_all) as server:
        response = await server.parse("to new york for sue")
        assert [len(batch) for batch in server.engine.batches] == [4]
        assert server.speller.batches == []
    colours, grammar, slots, travel = response.results
    assert [result.kind for result in response.results] == [
        nlu_pb2.SKILL_KIND_INTENT,
        nlu_pb2.SKILL_KIND_GRAMMAR,
        nlu_pb2.SKILL_KIND_SLOTS,
        nlu_pb2.SKILL_KIND_INTENT_SLOTS,
    ]
    assert [
        [name for name in ("intent", "slots", "grammar") if result.HasField(name)]
        for result in response.results
    ] == [["intent"], ["grammar"], ["slots"], ["intent", "slots"]]
    assert grammar.outcome == slots.outcome == nlu_pb2.OUTCOME_MATCHED
    assert travel.outcome in (nlu_pb2.OUTCOME_MATCHED, nlu_pb2.OUTCOME_AMBIGUOUS)
    assert len(colours.intent.ranking) == len(travel.intent.ranking) == 3
    assert found(slots) == found(travel) == [("city", "new york", 3, 11), ("person", "sue", 16, 19)]
    first = slots.slots.slots[0]
    assert (first.role, first.group, first.value) == ("to", "1", "new york")
    assert 0.9 < first.confidence <= 1.0
    assert grammar.grammar.is_grammatical and grammar.grammar.confidence > 0.99
    assert grammar.grammar.corrected_text == "to new york for sue" and not grammar.grammar.edits
    assert response.timings.batch_rows == 4 and response.corrected_text == ""


@pytest.mark.parametrize(
    ("unit", "spans"),
    [
        (nlu_pb2.OFFSET_UNIT_UNSPECIFIED, [(5, 11), (2, 4)]),
        (nlu_pb2.OFFSET_UNIT_CODE_POINTS, [(5, 11), (2, 4)]),
        (nlu_pb2.OFFSET_UNIT_UTF16_UNITS, [(6, 12), (3, 5)]),
        (nlu_pb2.OFFSET_UNIT_UTF8_BYTES, [(8, 14), (5, 7)]),
    ],
)
async def test_spans_are_in_the_asked_unit(
    serve: Serve, unit: nlu_pb2.OffsetUnit, spans: list[tuple[int, int]]
) -> None:
    async with serve(prepare=publish_all) as server:
        response = await server.stub.Parse(
            request(f"{SMILE} xe dallas", "slots", "grammar", offset_unit=unit)
        )
    slots, grammar = response.results
    [slot], [edit] = slots.slots.slots, grammar.grammar.edits
    assert slot.raw == "dallas"
    assert [(each.span.start, each.span.end) for each in (slot, edit)] == spans


async def test_an_expected_slot_takes_a_bare_answer(serve: Serve) -> None:
    async with serve(prepare=publish_all) as server:
        plain = await server.parse("four", "slots")
        asked, unknown, joint = [
            await server.stub.Parse(
                request("four", skill, context=nlu_pb2.ParseContext(expected_slots=expected))
            )
            for skill, expected in [
                ("slots", ["other", "count"]),
                ("slots", ["other"]),
                ("travel", ["count"]),
            ]
        ]
    assert found(plain.results[0]) == []
    assert found(asked.results[0]) == found(joint.results[0]) == [("count", "four", 0, 4)]
    assert unknown.results[0] == plain.results[0]


async def test_slots_below_the_asked_confidence_are_left_out(serve: Serve) -> None:
    async with serve(prepare=publish_all) as server:
        response = await server.stub.Parse(request("sue", "slots", min_confidence=1.0))
    assert found(response.results[0]) == []
    assert response.results[0].outcome == nlu_pb2.OUTCOME_MATCHED


async def test_a_correction_is_edits_of_the_text_as_it_was_sent(serve: Serve) -> None:
    text = " xe  said: it goxes "
    async with serve(prepare=publish_all) as server:
        response = await server.parse(text, "grammar")
        assert len(server.speller.batches) == 1
    grammar = response.results[0].grammar
    assert not grammar.is_grammatical and grammar.confidence < 0.01
    assert grammar.corrected_text == " we  said: it goes "
    assert [(text[each.span.start : each.span.end], each.replacement) for each in grammar.edits] == [
        ("xe", "we"),
        ("goxes", "goes"),
    ]
    assert [each.confidence for each in grammar.edits] == [0.75, 0.75]


async def test_slot_values_and_numbers_are_not_corrected(serve: Serve) -> None:
    async with serve(prepare=publish_all) as server:
        alone = await server.parse("six xe", "grammar")
        beside = await server.parse("six xe", "grammar", "slots")
        nothing_left = await server.parse("six", "travel", "grammar")
    assert alone.results[0].grammar.corrected_text == "seven we"
    assert beside.results[0].grammar.corrected_text == "six we"
    assert nothing_left.results[1].grammar.corrected_text == "six"
    assert nothing_left.results[1].grammar.is_grammatical


async def test_other_skills_read_the_correction_and_point_into_the_text_as_sent(serve: Serve) -> None:
    text = "xe   fly to exver with bob"
    async with serve(prepare=publish_all) as server:
        server.speller.words = {"xe": "we both", "exver": "denver"}
        response = await server.stub.Parse(request(text, "slots", "grammar", "colours", correct_grammar=True))
        plain = await server.parse(text, "slots")
        assert [len(batch) for batch in server.engine.batches] == [3, 2, 1]
    slots, grammar, colours = response.results
    assert response.corrected_text == grammar.grammar.corrected_text == "we both   fly to denver with bob"
    assert found(plain.results[0]) == [("person", "bob", 23, 26)]
    assert found(slots) == [
        ("person", "xe", 0, 2),
        ("city", "exver", 12, 17),
        ("person", "bob", 23, 26),
    ]
    assert slots.slots.slots[1].value == "denver"
    assert colours.intent.ranking
    assert response.read == nlu_pb2.Span(start=0, end=len(text))


async def test_while_a_slot_is_expected_the_text_is_read_as_it_was_sent(serve: Serve) -> None:
    asked = request("exver", "slots", "grammar", correct_grammar=True)
    async with serve(prepare=publish_all) as server:
        server.speller.words = {"exver": "denver"}
        open_question = await server.stub.Parse(asked)
        asked.context.expected_slots.append("person")
        answer = await server.stub.Parse(asked)
    assert found(open_question.results[0]) == [("city", "exver", 0, 5)]
    assert answer.corrected_text == "exver"
    assert not found(answer.results[0])
    assert answer.results[1].grammar.corrected_text == "denver"


async def test_a_text_without_an_error_is_read_once(serve: Serve) -> None:
    async with serve(prepare=publish_all) as server:
        response = await server.stub.Parse(request("to dallas", correct_grammar=True))
        plain = await server.parse("to dallas")
        assert [len(batch) for batch in server.engine.batches] == [4, 4]
    assert response.corrected_text == "to dallas"
    assert list(response.results) == list(plain.results)


async def test_a_correction_needs_a_grammar_skill(serve: Serve) -> None:
    async with serve(prepare=publish_all) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.Parse(request("hello", "slots", correct_grammar=True))
    assert wrong_field(caught.value) == "options.correct_grammar"


async def test_a_decoder_at_work_delays_no_other_request(serve: Serve) -> None:
    async with serve(prepare=publish_all) as server:
        server.speller.gate.clear()
        server.speller.busy.clear()
        flagged = asyncio.create_task(server.parse("xe", "grammar"))
        assert await asyncio.to_thread(server.speller.busy.wait, 30.0)
        others = await asyncio.gather(*(server.parse("to dallas") for _ in range(3)))
        assert not flagged.done()
        server.speller.gate.set()
        corrected = await flagged
    assert [len(each.results) for each in others] == [4, 4, 4]
    assert corrected.results[0].grammar.corrected_text == "we"


@pytest.mark.parametrize("text", ["", " \n", "\N{ZERO WIDTH SPACE}"])
@pytest.mark.parametrize("correct_grammar", [False, True])
async def test_a_blank_text_is_answered_without_the_engine(
    serve: Serve, text: str, correct_grammar: bool
) -> None:
    async with serve(prepare=publish_all) as server:
        response = await server.stub.Parse(request(text, correct_grammar=correct_grammar))
        assert not server.engine.batches
    assert {result.outcome for result in response.results} == {nlu_pb2.OUTCOME_EMPTY_INPUT}
    _, grammar, slots, _ = response.results
    assert grammar.grammar.is_grammatical and grammar.grammar.corrected_text == text
    assert slots.HasField("slots") and not slots.slots.slots
    assert response.corrected_text == (text if correct_grammar else "")


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"expected_slots": ["count"] * 65}, "context.expected_slots"),
        ({"reference_time": Timestamp(seconds=10**15)}, "context.reference_time"),
    ],
)
async def test_a_wrong_context_is_refused_by_the_name_of_its_field(
    serve: Serve, context: dict[str, Any], field: str
) -> None:
    async with serve(prepare=publish_all) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.Parse(request("x", context=nlu_pb2.ParseContext(**context)))
    assert wrong_field(caught.value) == field


async def test_a_skill_that_breaks_its_decoder_is_refused(serve: Serve) -> None:
    def prepare(server: Any) -> None:
        server.speller.words = {"is": 7}  # no word
        server.publish("colours")
        server.publish("grammar", SkillKind.GRAMMAR)

    async with serve(prepare=prepare) as server:
        listed = await server.stub.ListSkills(nlu_pb2.ListSkillsRequest())
    assert [each.skill.name for each in listed.skills] == ["colours"]
    assert [(each.skill.name, "cannot answer" in each.reason) for each in listed.refused] == [
        ("grammar", True)
    ]
