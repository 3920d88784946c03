"""Between protobuf messages and the domain, on the server's side."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from nlu.registry import Snapshot
from nlu.request_id import REQUEST_ID
from nlu.v1 import nlu_pb2
from skills.errors import InputError
from skills.offsets import OffsetUnit
from skills.parse import (
    GrammarAnswer,
    IntentAnswer,
    Outcome,
    ParseRequest,
    ParseResult,
    SkillResult,
    SlotValue,
)
from skills.skill import Provenance, SkillKind, SkillRef, SkillVersion, check_name

_OFFSET_UNITS = {
    nlu_pb2.OFFSET_UNIT_UNSPECIFIED: OffsetUnit.CODE_POINTS,
    nlu_pb2.OFFSET_UNIT_CODE_POINTS: OffsetUnit.CODE_POINTS,
    nlu_pb2.OFFSET_UNIT_UTF16_UNITS: OffsetUnit.UTF16_UNITS,
    nlu_pb2.OFFSET_UNIT_UTF8_BYTES: OffsetUnit.UTF8_BYTES,
}
_OUTCOMES = {
    Outcome.MATCHED: nlu_pb2.OUTCOME_MATCHED,
    Outcome.AMBIGUOUS: nlu_pb2.OUTCOME_AMBIGUOUS,
    Outcome.OUT_OF_SCOPE: nlu_pb2.OUTCOME_OUT_OF_SCOPE,
    Outcome.EMPTY_INPUT: nlu_pb2.OUTCOME_EMPTY_INPUT,
}
KINDS = {
    SkillKind.INTENT: nlu_pb2.SKILL_KIND_INTENT,
    SkillKind.SLOTS: nlu_pb2.SKILL_KIND_SLOTS,
    SkillKind.GRAMMAR: nlu_pb2.SKILL_KIND_GRAMMAR,
    SkillKind.JOINT: nlu_pb2.SKILL_KIND_INTENT_SLOTS,
}


def read_request(message: nlu_pb2.ParseRequest, *, request_id: str = "") -> ParseRequest:
    """Return the domain's request; `request_id` stands in for a missing one.

    Raises:
        InputError: a value is out of bounds; names the field.
    """
    options = message.options
    if options.offset_unit not in _OFFSET_UNITS:
        raise InputError(
            f"offset unit {options.offset_unit} is not known: use {', '.join(nlu_pb2.OffsetUnit.keys())}",
            field="options.offset_unit",
        )
    if message.request_id and not REQUEST_ID.fullmatch(message.request_id):
        raise InputError(
            f"request id {message.request_id[:40]!r} is not fit for a log: use 1 to 128 printable ASCII "
            "characters without spaces, or none to get one",
            field="request_id",
        )
    return ParseRequest(
        text=message.text,
        skills=tuple(read_ref(ref, field=f"skills[{place}]") for place, ref in enumerate(message.skills)),
        request_id=message.request_id or request_id,
        n_best=options.n_best or ParseRequest.n_best,
        min_confidence=options.min_confidence,
        offset_unit=_OFFSET_UNITS[options.offset_unit],
        session_id=message.context.session_id,
        expected_slots=tuple(message.context.expected_slots),
        reference_time=_reference_time(message.context),
        correct_grammar=options.correct_grammar,
        explain=options.explain,
    )


def read_ref(message: nlu_pb2.SkillRef, *, field: str) -> SkillRef:
    """Return the domain's reference; `field` is the place of the message in the request.

    Raises:
        InputError: the name or the alias is not well-formed.
    """
    check_name_at(message.name, "skill name", f"{field}.name")
    selector = message.WhichOneof("selector")
    if selector == "version":
        return SkillRef(message.name, message.version)
    if selector == "alias":
        check_name_at(message.alias, "alias", f"{field}.alias")
        return SkillRef(message.name, message.alias)
    return SkillRef(message.name)


def check_name_at(name: str, what: str, field: str) -> None:
    """Check a name, or an alias; `field` is its place in the request.

    Raises:
        InputError: it is not well-formed; names the field.
    """
    try:
        check_name(name, what=what)
    except InputError as error:
        raise InputError(str(error), field=field) from error


def write_result(result: ParseResult) -> nlu_pb2.ParseResponse:
    """Return the answer to one request."""
    timings = result.timings
    return nlu_pb2.ParseResponse(
        request_id=result.request_id,
        results=[_skill_result(each) for each in result.results],
        read=nlu_pb2.Span(start=result.read[0], end=result.read[1]),
        backbone=result.backbone,
        timings=nlu_pb2.Timings(
            tokenise_us=timings.tokenise_us,
            queue_us=timings.queue_us,
            inference_us=timings.inference_us,
            batch_rows=timings.batch_rows,
        ),
        corrected_text=result.corrected_text,
    )


def write_snapshot(snapshot: Snapshot, backbone: str) -> nlu_pb2.ListSkillsResponse:
    """Return what is served, by name and version, and what is refused."""
    versions = {(version.name, version.version): version for version in snapshot.skills.values()}
    aliases: dict[tuple[str, int], list[str]] = {key: [] for key in versions}
    for name, alias in sorted(snapshot.skills):
        aliases[name, snapshot.skills[name, alias].version].append(alias)
    return nlu_pb2.ListSkillsResponse(
        revision=snapshot.revision,
        skills=[
            nlu_pb2.ServedVersion(
                skill=write_version_ref(versions[key]),
                kind=KINDS[versions[key].kind],
                label_count=len(versions[key].labels),
                aliases=aliases[key],
            )
            for key in sorted(versions)
        ],
        refused=[
            nlu_pb2.RefusedVersion(skill=write_version_ref(each.version), reason=each.reason)
            for each in snapshot.refused
        ],
        backbone=backbone,
    )


def write_version(version: SkillVersion) -> nlu_pb2.GetSkillResponse:
    """Return the description of one version."""
    created_at = Timestamp()
    created_at.FromDatetime(version.created_at)
    return nlu_pb2.GetSkillResponse(
        skill=write_version_ref(version),
        kind=KINDS[version.kind],
        method=str(version.method),
        labels=version.labels,
        metrics=version.metrics,
        provenance=_provenance(version.provenance),
        backbone=version.backbone,
        stored_bytes=version.bytes,
        created_at=created_at,
    )


def write_version_ref(version: SkillVersion) -> nlu_pb2.SkillVersionRef:
    """Return what names a version."""
    return nlu_pb2.SkillVersionRef(name=version.name, version=version.version, sha256=version.sha256)


def _reference_time(context: nlu_pb2.ParseContext) -> datetime | None:
    """Return the caller's wall-clock time, without a zone."""
    if not context.HasField("reference_time"):
        return None
    try:
        return context.reference_time.ToDatetime()
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"reference time of {context.reference_time.seconds} s is not between the years 1 and 9999",
            field="context.reference_time",
        ) from error


def _provenance(provenance: Provenance) -> nlu_pb2.Provenance:
    training_time = Duration()
    training_time.FromNanoseconds(round(1e9 * provenance.seconds))
    return nlu_pb2.Provenance(
        data_sha256=provenance.data_sha256,
        rows=provenance.rows,
        seed=provenance.seed,
        code_version=provenance.code_version,
        training_time=training_time,
    )


def _skill_result(result: SkillResult) -> nlu_pb2.SkillResult:
    return nlu_pb2.SkillResult(
        skill=nlu_pb2.SkillVersionRef(name=result.skill, version=result.version, sha256=result.sha256),
        kind=KINDS[result.kind],
        outcome=_OUTCOMES[result.outcome],
        intent=None if result.intent is None else _intent(result.intent),
        slots=None if result.slots is None else nlu_pb2.SlotsResult(slots=map(_slot, result.slots.slots)),
        grammar=None if result.grammar is None else _grammar(result.grammar),
    )


def _intent(answer: IntentAnswer) -> nlu_pb2.IntentResult:
    return nlu_pb2.IntentResult(
        ranking=[nlu_pb2.Intent(name=each.name, confidence=each.confidence) for each in answer.ranking],
        in_scope=answer.in_scope,
        similar=[nlu_pb2.SimilarUtterance(**vars(each)) for each in answer.similar],
    )


def _slot(slot: SlotValue) -> nlu_pb2.Slot:
    return nlu_pb2.Slot(
        name=slot.label.slot,
        role=slot.label.role,
        group=slot.label.group,
        raw=slot.raw,
        value=slot.value,
        span=nlu_pb2.Span(start=slot.start, end=slot.end),
        confidence=slot.confidence,
        alternatives=[
            nlu_pb2.SlotAlternative(
                name=each.label.slot,
                role=each.label.role,
                group=each.label.group,
                confidence=each.confidence,
            )
            for each in slot.alternatives
        ],
    )


def _grammar(answer: GrammarAnswer) -> nlu_pb2.GrammarResult:
    return nlu_pb2.GrammarResult(
        is_grammatical=answer.is_grammatical,
        confidence=answer.confidence,
        corrected_text=answer.corrected,
        edits=[
            nlu_pb2.Edit(
                span=nlu_pb2.Span(start=edit.start, end=edit.end),
                replacement=edit.replacement,
                confidence=edit.confidence,
            )
            for edit in answer.edits
        ],
    )
