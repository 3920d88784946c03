from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from nlu import client_types as types
from nlu.client_errors import InvalidRequestError, UnavailableError
from nlu.client_types import OffsetUnit, Outcome, ParseRequest, ParseResult, SkillKind
from nlu.client_wire import (
    read_batch,
    read_change,
    read_details,
    read_item,
    read_result,
    read_skills,
    write_batch,
    write_item,
    write_ref,
    write_request,
)
from nlu.v1 import nlu_pb2

ANSWER = nlu_pb2.ParseResponse(
    request_id="abc",
    results=[
        nlu_pb2.SkillResult(
            skill=nlu_pb2.SkillVersionRef(name="alpha", version=3, sha256="f00"),
            kind=nlu_pb2.SKILL_KIND_INTENT,
            outcome=nlu_pb2.OUTCOME_MATCHED,
            intent=nlu_pb2.IntentResult(
                ranking=[
                    nlu_pb2.Intent(name="red", confidence=0.75),
                    nlu_pb2.Intent(name="blue", confidence=0.25),
                ],
                in_scope=0.5,
                similar=[nlu_pb2.SimilarUtterance(text="rose", intent="red", similarity=0.5)],
            ),
        ),
        nlu_pb2.SkillResult(
            skill=nlu_pb2.SkillVersionRef(name="beta", version=1, sha256="f11"),
            kind=nlu_pb2.SKILL_KIND_SLOTS,
            outcome=nlu_pb2.OUTCOME_MATCHED,
            slots=nlu_pb2.SlotsResult(
                slots=[
                    nlu_pb2.Slot(
                        name="city",
                        role="to",
                        group="1",
                        raw="NYC",
                        value="New York",
                        span=nlu_pb2.Span(start=2, end=5),
                        confidence=0.75,
                        alternatives=[
                            nlu_pb2.SlotAlternative(name="city", role="from", group="2", confidence=0.125)
                        ],
                    )
                ]
            ),
        ),
        nlu_pb2.SkillResult(
            skill=nlu_pb2.SkillVersionRef(name="gamma", version=2, sha256="f22"),
            kind=nlu_pb2.SKILL_KIND_GRAMMAR,
            outcome=nlu_pb2.OUTCOME_MATCHED,
            grammar=nlu_pb2.GrammarResult(
                is_grammatical=False,
                confidence=0.25,
                corrected_text="we go",
                edits=[nlu_pb2.Edit(span=nlu_pb2.Span(start=0, end=1), replacement="we", confidence=0.5)],
            ),
        ),
    ],
    corrected_text="we go",
    read=nlu_pb2.Span(start=0, end=5),
    backbone="b00",
    timings=nlu_pb2.Timings(tokenise_us=1, queue_us=2, inference_us=3, batch_rows=4),
)
RESULT = ParseResult(
    request_id="abc",
    results=(
        types.SkillResult(
            types.SkillVersion("alpha", 3, "f00"),
            SkillKind.INTENT,
            Outcome.MATCHED,
            (types.Intent("red", 0.75), types.Intent("blue", 0.25)),
            0.5,
            similar=(types.SimilarUtterance("rose", "red", 0.5),),
        ),
        types.SkillResult(
            types.SkillVersion("beta", 1, "f11"),
            SkillKind.SLOTS,
            Outcome.MATCHED,
            slots=(
                types.Slot(
                    "city",
                    2,
                    5,
                    "NYC",
                    "New York",
                    0.75,
                    "to",
                    "1",
                    (types.SlotAlternative("city", 0.125, "from", "2"),),
                ),
            ),
        ),
        types.SkillResult(
            types.SkillVersion("gamma", 2, "f22"),
            SkillKind.GRAMMAR,
            Outcome.MATCHED,
            grammar=types.Grammar(False, 0.25, "we go", (types.Edit(0, 1, "we", 0.5),)),
        ),
    ),
    read=(0, 5),
    backbone="b00",
    timings=types.Timings(1, 2, 3, 4),
    corrected_text="we go",
)
LIST = nlu_pb2.ListSkillsResponse(
    revision=7,
    skills=[
        nlu_pb2.ServedVersion(
            skill=nlu_pb2.SkillVersionRef(name="alpha", version=3, sha256="f00"),
            kind=nlu_pb2.SKILL_KIND_INTENT,
            label_count=2,
            aliases=["live"],
        )
    ],
    refused=[
        nlu_pb2.RefusedVersion(
            skill=nlu_pb2.SkillVersionRef(name="beta", version=1, sha256="f11"), reason="not finite"
        )
    ],
    backbone="b00",
)
SKILLS = types.SkillList(
    7,
    (types.ServedSkill(types.SkillVersion("alpha", 3, "f00"), SkillKind.INTENT, 2, ("live",)),),
    (types.RefusedSkill(types.SkillVersion("beta", 1, "f11"), "not finite"),),
    "b00",
)


def test_a_bare_text_asks_all_live_skills() -> None:
    message = write_request("hello")
    assert message == write_request(ParseRequest("hello"))
    assert (message.text, list(message.skills)) == ("hello", [])


def test_all_of_a_request_is_written() -> None:
    request = ParseRequest(
        "hello",
        skills=("alpha",),
        request_id="mine",
        n_best=2,
        min_confidence=0.25,
        offset_unit=OffsetUnit.UTF16_UNITS,
        language="en",
        session_id="s",
        previous_system_utterance="what colour?",
        expected_intents=("red",),
        expected_slots=("shade",),
        reference_time=datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=9))),
        correct_grammar=True,
        explain=True,
    )
    assert write_request(request) == nlu_pb2.ParseRequest(
        text="hello",
        skills=[nlu_pb2.SkillRef(name="alpha")],
        request_id="mine",
        language="en",
        context=nlu_pb2.ParseContext(
            session_id="s",
            previous_system_utterance="what colour?",
            expected_intents=["red"],
            expected_slots=["shade"],
            reference_time=Timestamp(seconds=1767323040),  # 03:04 by the user's clock, as if it were UTC
        ),
        options=nlu_pb2.ParseOptions(
            n_best=2,
            min_confidence=0.25,
            offset_unit=nlu_pb2.OFFSET_UNIT_UTF16_UNITS,
            correct_grammar=True,
            explain=True,
        ),
    )


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (OffsetUnit.CODE_POINTS, nlu_pb2.OFFSET_UNIT_CODE_POINTS),
        (OffsetUnit.UTF16_UNITS, nlu_pb2.OFFSET_UNIT_UTF16_UNITS),
        (OffsetUnit.UTF8_BYTES, nlu_pb2.OFFSET_UNIT_UTF8_BYTES),
    ],
)
def test_every_offset_unit_is_written(unit: OffsetUnit, expected: nlu_pb2.OffsetUnit) -> None:
    assert write_request(ParseRequest("x", offset_unit=unit)).options.offset_unit == expected


@pytest.mark.parametrize(
    ("skill", "expected"),
    [
        ("alpha", {}),
        ("alpha@", {}),
        ("alpha@3", {"version": 3}),
        ("alpha@candidate", {"alias": "candidate"}),
        ("alpha@³", {"alias": "³"}),
        ("alpha@99999999999999999999", {"alias": "99999999999999999999"}),
    ],
)
def test_a_skill_is_named_with_its_version_or_its_alias(skill: str, expected: dict[str, Any]) -> None:
    assert write_ref(skill) == nlu_pb2.SkillRef(name="alpha", **expected)


@pytest.mark.parametrize("request_", [ParseRequest("\ud83d"), ParseRequest("x", n_best=-1)])
def test_what_cannot_be_written_is_an_invalid_request(request_: ParseRequest) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be sent"):
        write_request(request_)


def test_batches_and_streams_are_written_from_requests() -> None:
    one, two = write_request("one"), write_request("two")
    assert write_batch(["one", ParseRequest("two")]) == nlu_pb2.BatchParseRequest(requests=[one, two])
    assert write_item("one") == nlu_pb2.StreamParseRequest(request=one)


def test_an_answer_is_read() -> None:
    assert read_result(ANSWER) == RESULT


def test_a_batch_gives_each_item_its_result_or_its_error() -> None:
    status = nlu_pb2.ItemStatus(
        code=grpc.StatusCode.INVALID_ARGUMENT.value[0], message="too long", field="text"
    )
    items = [nlu_pb2.BatchParseItem(response=ANSWER), nlu_pb2.BatchParseItem(status=status)]
    good, bad = read_batch(nlu_pb2.BatchParseResponse(items=items))
    assert good == RESULT
    assert isinstance(bad, InvalidRequestError)
    assert (str(bad), bad.field, bad.retry_after) == ("too long", "text", None)


def test_a_stream_gives_each_item_its_place() -> None:
    status = nlu_pb2.ItemStatus(
        code=grpc.StatusCode.UNAVAILABLE.value[0], retry_after=Duration(nanos=500_000_000)
    )
    good = nlu_pb2.StreamParseResponse(index=4, item=nlu_pb2.BatchParseItem(response=ANSWER))
    bad = nlu_pb2.StreamParseResponse(index=5, request_id="id", item=nlu_pb2.BatchParseItem(status=status))
    assert read_item(good) == (4, RESULT)
    index, error = read_item(bad)
    assert isinstance(error, UnavailableError)
    assert (index, error.request_id, error.retry_after) == (5, "id", 0.5)


def test_the_list_of_skills_is_read() -> None:
    assert read_skills(LIST) == read_change(nlu_pb2.WatchSkillsResponse(skills=LIST)) == SKILLS


def test_a_description_is_read() -> None:
    message = nlu_pb2.GetSkillResponse(
        skill=nlu_pb2.SkillVersionRef(name="alpha", version=3, sha256="f00"),
        kind=nlu_pb2.SKILL_KIND_SLOTS,
        method="deep-prompt",
        labels=["red", "blue"],
        metrics={"accuracy": 0.5},
        provenance=nlu_pb2.Provenance(
            data_sha256="d00", rows=9, seed=1, code_version="1.0", training_time=Duration(seconds=2)
        ),
        backbone="b00",
        stored_bytes=1000,
        created_at=Timestamp(seconds=1_700_000_000),
    )
    assert read_details(message) == types.SkillDetails(
        types.SkillVersion("alpha", 3, "f00"),
        SkillKind.SLOTS,
        "deep-prompt",
        ("red", "blue"),
        {"accuracy": 0.5},
        types.Provenance("d00", 9, 1, "1.0", 2.0),
        "b00",
        1000,
        datetime.fromtimestamp(1_700_000_000, UTC),
    )


@pytest.mark.parametrize(
    ("outcome", "intent"),
    [
        (Outcome.MATCHED, "red"),
        (Outcome.AMBIGUOUS, "red"),
        (Outcome.OUT_OF_SCOPE, None),
        (Outcome.EMPTY_INPUT, None),
    ],
)
def test_only_a_match_has_an_intent(outcome: Outcome, intent: str | None) -> None:
    ranking = () if outcome is Outcome.EMPTY_INPUT else (types.Intent("red", 0.9),)
    result = types.SkillResult(types.SkillVersion("a", 1, ""), SkillKind.INTENT, outcome, ranking, 1.0)
    assert (result.intent.name if result.intent else None) == intent


def test_an_answer_of_a_newer_server_can_be_read() -> None:
    newer = nlu_pb2.SkillResult(kind=99, outcome=99)  # type: ignore[arg-type]
    (result,) = read_result(nlu_pb2.ParseResponse(results=[newer])).results
    assert (result.kind, result.outcome) == (SkillKind.UNSPECIFIED, Outcome.UNSPECIFIED)
