"""Between the messages of TrainingService and the domain, on the server's side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from nlu.v1 import nlu_pb2, training_pb2
from nlu.wire import KINDS, check_name_at, read_ref
from skills.errors import InputError
from skills.formats.corrections import correction_row
from skills.formats.jsonl import intent_row
from skills.formats.phrases import PhraseKind, PhraseList
from skills.formats.row import Place, check_label, check_text
from skills.formats.slots_jsonl import slot_row
from skills.gates import Gates
from skills.job import Job, JobProgress, JobRequest, JobState
from skills.skill import LIVE, SkillKind, SkillRef
from skills.training_data import Row
from storage.catalog import check_alias

MAX_SETTINGS = 64  # of a training, and metrics of its gates
MAX_JOBS = 1_000  # of one list
JOBS = 100  # of one list that does not say

_PHRASE_KINDS = {
    training_pb2.PHRASE_KIND_SYNONYM: PhraseKind.SYNONYM,
    training_pb2.PHRASE_KIND_LOOKUP: PhraseKind.LOOKUP,
    training_pb2.PHRASE_KIND_REGEX: PhraseKind.REGEX,
}
_STATES = {
    JobState.QUEUED: training_pb2.JOB_STATE_QUEUED,
    JobState.RUNNING: training_pb2.JOB_STATE_RUNNING,
    JobState.SUCCEEDED: training_pb2.JOB_STATE_SUCCEEDED,
    JobState.FAILED: training_pb2.JOB_STATE_FAILED,
    JobState.CANCELLED: training_pb2.JOB_STATE_CANCELLED,
}


def read_spec(message: training_pb2.TrainingSpec) -> JobRequest:
    """Return what is to be trained; the settings are as they were sent, `grown_from` may name an alias.

    Raises:
        InputError: a value is out of bounds; names the field.
    """
    check_name_at(message.skill, "skill name", "spec.skill")
    _check_number(len(message.settings), "spec.settings")
    grown_from = (
        read_ref(message.grown_from, field="spec.grown_from") if message.HasField("grown_from") else ""
    )
    return JobRequest(
        skill=message.skill,
        kind=_read_kind(message.kind),
        config=dict(message.settings),
        alias=_read_alias(message),
        gates=_read_gates(message.gates).as_dict() if message.HasField("gates") else {},
        grown_from=str(grown_from),
    )


def read_example(kind: SkillKind, place: Place, message: training_pb2.Example) -> Row:
    """Return a labeled row; of fields that the kind has no use for, nothing is kept.

    Raises:
        DataError: the row is bad; names it and the field.
    """
    if kind is SkillKind.INTENT:
        return intent_row(place, {"text": message.text, "intent": message.intent})
    if kind is SkillKind.GRAMMAR:
        return correction_row(place, {"text": message.text, "corrections": list(message.corrections)})
    return slot_row(
        place,
        {
            "text": message.text,
            "intent": message.intent,
            "slots": [_slot_record(slot) for slot in message.slots],
            "expected_slots": list(message.expected_slots),
        },
    )


def read_phrases(message: training_pb2.PhraseList) -> PhraseList:
    """Return phrases, or a part of them.

    Raises:
        InputError: the kind is not known, or the name or a phrase is out of bounds.
    """
    if message.kind not in _PHRASE_KINDS:
        names = ", ".join(training_pb2.PhraseKind.keys()[1:])
        raise InputError(f"kind {message.kind} is not known: use {names}", field="phrases.kind")
    place = Place("phrases", 1)
    name = check_label(place, message.name, "phrases.name")
    phrases = tuple(check_text(place, each, "phrases.phrases") for each in message.phrases)
    return PhraseList(_PHRASE_KINDS[message.kind], name, phrases)


def read_states(numbers: Sequence[training_pb2.JobState]) -> list[JobState]:
    """Return states that jobs may be in.

    Raises:
        InputError: one is not known.
    """
    known = {number: state for state, number in _STATES.items()}
    for number in numbers:
        if number not in known:
            names = ", ".join(training_pb2.JobState.keys()[1:])
            raise InputError(f"state {number} is not known: use {names}", field="states")
    return [known[number] for number in numbers]


def read_limit(limit: int) -> int:
    """Return how many jobs to list.

    Raises:
        InputError: that is too many.
    """
    if limit > MAX_JOBS:
        raise InputError(f"limit is {limit:,}, at most {MAX_JOBS:,} is allowed", field="limit")
    return limit or JOBS


def read_version_to_promote(message: nlu_pb2.SkillRef) -> SkillRef:
    """Return the domain's reference.

    Raises:
        InputError: it is not well-formed, or names a skill only.
    """
    if message.WhichOneof("selector") is None:
        raise InputError("name the version to promote, by its number or an alias", field="skill.version")
    return read_ref(message, field="skill")


def write_job(job: Job) -> training_pb2.Job:
    """Return a job."""
    return training_pb2.Job(
        id=job.id,
        spec=_spec(job.request),
        dataset=job.dataset,
        state=_STATES[job.state],
        priority=job.priority,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        progress=_progress(job.progress),
        reason=job.reason,
        worker=job.worker,
        version=job.version or 0,
        submitted_by=job.submitted_by,
        submitted_at=_timestamp(job.submitted_at),
        started_at=_timestamp(job.started_at),
        finished_at=_timestamp(job.finished_at),
        is_cancel_requested=job.is_cancel_requested,
    )


def _check_number(number: int, field: str) -> None:
    if number > MAX_SETTINGS:
        raise InputError(f"{field} has {number:,} entries, at most {MAX_SETTINGS} are allowed", field=field)


def _read_kind(number: nlu_pb2.SkillKind) -> SkillKind:
    known = {number: kind for kind, number in KINDS.items()}
    if number not in known:
        names = ", ".join(nlu_pb2.SkillKind.keys()[1:])
        raise InputError(f"kind {number} is not known: use {names}", field="spec.kind")
    return known[number]


def _read_alias(message: training_pb2.TrainingSpec) -> str | None:
    alias: str = message.alias if message.HasField("alias") else LIVE
    if not alias:
        return None
    try:
        check_alias(alias)
    except InputError as error:
        raise InputError(str(error), field="spec.alias") from error
    return alias


def _read_gates(message: training_pb2.Gates) -> Gates:
    _check_number(len(message.minimum), "spec.gates.minimum")
    return Gates(dict(message.minimum), message.no_regression, message.tolerance)


def _slot_record(slot: training_pb2.ExampleSlot) -> dict[str, object]:
    return {field: getattr(slot, field) for field in training_pb2.ExampleSlot.DESCRIPTOR.fields_by_name}


def _spec(request: JobRequest) -> training_pb2.TrainingSpec:
    gates = Gates.from_dict(request.gates)
    return training_pb2.TrainingSpec(
        skill=request.skill,
        kind=KINDS[request.kind],
        settings={name: _text(value) for name, value in request.config.items()},
        alias=request.alias or "",
        gates=training_pb2.Gates(
            minimum=gates.minimum, no_regression=gates.no_regression, tolerance=gates.tolerance
        ),
        grown_from=_ref(request.grown_from),
    )


def _text(value: Any) -> str:
    """Return a setting as it is sent."""
    return value if isinstance(value, str) else json.dumps(value)


def _ref(text: str) -> nlu_pb2.SkillRef | None:
    if not text:
        return None
    ref = SkillRef.parse(text)
    if isinstance(ref.selector, int):
        return nlu_pb2.SkillRef(name=ref.name, version=ref.selector)
    return nlu_pb2.SkillRef(name=ref.name, alias=ref.selector)


def _progress(progress: JobProgress) -> training_pb2.JobProgress:
    message = training_pb2.JobProgress(
        run=progress.run,
        step=progress.step,
        steps=progress.steps,
        loss=progress.loss,
        dev_score=progress.dev_score,
        score_name=progress.score_name,
    )
    if progress.seconds_left is not None:
        message.time_left.CopyFrom(_duration(progress.seconds_left))
    return message


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(1e9 * seconds))
    return duration


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
