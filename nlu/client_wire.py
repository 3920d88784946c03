"""Between protobuf messages and the client's values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from google.protobuf.timestamp_pb2 import Timestamp

from nlu.client_errors import ClientError, InvalidRequestError, error_of_item
from nlu.client_types import (
    Edit,
    Grammar,
    Intent,
    OffsetUnit,
    Outcome,
    ParseRequest,
    ParseResult,
    Provenance,
    RefusedSkill,
    ServedSkill,
    SimilarUtterance,
    SkillDetails,
    SkillKind,
    SkillList,
    SkillResult,
    SkillVersion,
    Slot,
    SlotAlternative,
    Timings,
)
from nlu.v1 import nlu_pb2

_OFFSET_UNITS = {
    OffsetUnit.CODE_POINTS: nlu_pb2.OFFSET_UNIT_CODE_POINTS,
    OffsetUnit.UTF16_UNITS: nlu_pb2.OFFSET_UNIT_UTF16_UNITS,
    OffsetUnit.UTF8_BYTES: nlu_pb2.OFFSET_UNIT_UTF8_BYTES,
}
_OUTCOMES = {
    nlu_pb2.OUTCOME_MATCHED: Outcome.MATCHED,
    nlu_pb2.OUTCOME_AMBIGUOUS: Outcome.AMBIGUOUS,
    nlu_pb2.OUTCOME_OUT_OF_SCOPE: Outcome.OUT_OF_SCOPE,
    nlu_pb2.OUTCOME_EMPTY_INPUT: Outcome.EMPTY_INPUT,
}
KINDS = {
    nlu_pb2.SKILL_KIND_INTENT: SkillKind.INTENT,
    nlu_pb2.SKILL_KIND_SLOTS: SkillKind.SLOTS,
    nlu_pb2.SKILL_KIND_GRAMMAR: SkillKind.GRAMMAR,
    nlu_pb2.SKILL_KIND_INTENT_SLOTS: SkillKind.JOINT,
}
_MAX_VERSION = 2**32 - 1  # of the field's type


def write_request(request: ParseRequest | str) -> nlu_pb2.ParseRequest:
    """Return the message of a request; a bare text asks all live skills.

    Raises:
        InvalidRequestError: a value cannot be sent at all, such as half of a surrogate pair.
    """
    if isinstance(request, str):
        request = ParseRequest(request)
    try:
        return nlu_pb2.ParseRequest(
            request_id=request.request_id,
            text=request.text,
            language=request.language,
            skills=[write_ref(skill) for skill in request.skills],
            context=nlu_pb2.ParseContext(
                session_id=request.session_id,
                previous_system_utterance=request.previous_system_utterance,
                expected_intents=request.expected_intents,
                expected_slots=request.expected_slots,
                reference_time=_timestamp(request.reference_time),
            ),
            options=nlu_pb2.ParseOptions(
                n_best=request.n_best,
                min_confidence=request.min_confidence,
                offset_unit=_OFFSET_UNITS[request.offset_unit],
                correct_grammar=request.correct_grammar,
                explain=request.explain,
            ),
        )
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"the request cannot be sent: {error}") from error


def write_ref(skill: str) -> nlu_pb2.SkillRef:
    """Return the message of `name`, `name@3` or `name@candidate`."""
    name, _, selector = skill.partition("@")
    if not selector:
        return nlu_pb2.SkillRef(name=name)
    if selector.isascii() and selector.isdigit() and int(selector) <= _MAX_VERSION:
        return nlu_pb2.SkillRef(name=name, version=int(selector))
    return nlu_pb2.SkillRef(name=name, alias=selector)


def write_batch(requests: Sequence[ParseRequest | str]) -> nlu_pb2.BatchParseRequest:
    """Return the message of many requests."""
    return nlu_pb2.BatchParseRequest(requests=[write_request(request) for request in requests])


def write_item(request: ParseRequest | str) -> nlu_pb2.StreamParseRequest:
    """Return the message of one request of a stream."""
    return nlu_pb2.StreamParseRequest(request=write_request(request))


def read_result(message: nlu_pb2.ParseResponse) -> ParseResult:
    """Return the answer to one request."""
    return ParseResult(
        request_id=message.request_id,
        results=tuple(_skill_result(each) for each in message.results),
        read=(message.read.start, message.read.end),
        backbone=message.backbone,
        timings=Timings(
            message.timings.tokenise_us,
            message.timings.queue_us,
            message.timings.inference_us,
            message.timings.batch_rows,
        ),
        corrected_text=message.corrected_text,
    )


def read_batch(message: nlu_pb2.BatchParseResponse) -> list[ParseResult | ClientError]:
    """Return each item's answer, or its error."""
    return [_item(item, item.response.request_id) for item in message.items]


def read_item(message: nlu_pb2.StreamParseResponse) -> tuple[int, ParseResult | ClientError]:
    """Return an item's place in the stream, and its answer or its error."""
    return message.index, _item(message.item, message.request_id)


def read_skills(message: nlu_pb2.ListSkillsResponse) -> SkillList:
    """Return the list of served skills."""
    return SkillList(
        revision=message.revision,
        skills=tuple(
            ServedSkill(read_version(each.skill), read_kind(each.kind), each.label_count, tuple(each.aliases))
            for each in message.skills
        ),
        refused=tuple(RefusedSkill(read_version(each.skill), each.reason) for each in message.refused),
        backbone=message.backbone,
    )


def read_change(message: nlu_pb2.WatchSkillsResponse) -> SkillList:
    """Return the list of served skills after a change."""
    return read_skills(message.skills)


def read_details(message: nlu_pb2.GetSkillResponse) -> SkillDetails:
    """Return the description of one version."""
    provenance = message.provenance
    return SkillDetails(
        skill=read_version(message.skill),
        kind=read_kind(message.kind),
        method=message.method,
        labels=tuple(message.labels),
        metrics=dict(message.metrics),
        provenance=Provenance(
            provenance.data_sha256,
            provenance.rows,
            provenance.seed,
            provenance.code_version,
            provenance.training_time.ToNanoseconds() / 1e9,
        ),
        backbone=message.backbone,
        stored_bytes=message.stored_bytes,
        created_at=message.created_at.ToDatetime(timezone.utc),
    )


def read_version(message: nlu_pb2.SkillVersionRef) -> SkillVersion:
    """Return what names a version."""
    return SkillVersion(message.name, message.version, message.sha256)


def read_kind(number: nlu_pb2.SkillKind) -> SkillKind:
    """Return a kind; one that is newer than this client is unspecified."""
    return KINDS.get(number, SkillKind.UNSPECIFIED)


def _item(item: nlu_pb2.BatchParseItem, request_id: str) -> ParseResult | ClientError:
    return error_of_item(item.status, request_id) if item.status.code else read_result(item.response)


def _skill_result(message: nlu_pb2.SkillResult) -> SkillResult:
    return SkillResult(
        skill=read_version(message.skill),
        kind=read_kind(message.kind),
        outcome=_OUTCOMES.get(message.outcome, Outcome.UNSPECIFIED),
        ranking=tuple(Intent(each.name, each.confidence) for each in message.intent.ranking),
        in_scope=message.intent.in_scope,
        slots=tuple(map(_slot, message.slots.slots)),
        grammar=_grammar(message.grammar) if message.HasField("grammar") else None,
        similar=tuple(
            SimilarUtterance(each.text, each.intent, each.similarity) for each in message.intent.similar
        ),
    )


def _slot(message: nlu_pb2.Slot) -> Slot:
    return Slot(
        name=message.name,
        start=message.span.start,
        end=message.span.end,
        raw=message.raw,
        value=message.value,
        confidence=message.confidence,
        role=message.role,
        group=message.group,
        alternatives=tuple(
            SlotAlternative(each.name, each.confidence, each.role, each.group)
            for each in message.alternatives
        ),
    )


def _grammar(message: nlu_pb2.GrammarResult) -> Grammar:
    edits = tuple(
        Edit(each.span.start, each.span.end, each.replacement, each.confidence) for each in message.edits
    )
    return Grammar(message.is_grammatical, message.confidence, message.corrected_text, edits)


def _timestamp(time: datetime | None) -> Timestamp | None:
    """Return a wall-clock time as if it were UTC."""
    if time is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(time.replace(tzinfo=None))
    return timestamp
