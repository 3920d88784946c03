"""Between the messages of TrainingService and the training client's values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from nlu.client_errors import InvalidRequestError
from nlu.client_types import SkillKind
from nlu.client_wire import KINDS, read_kind, write_ref
from nlu.training_client_types import (
    Example,
    Gates,
    Job,
    JobProgress,
    JobState,
    PhraseKind,
    PhraseList,
    TrainingSpec,
)
from nlu.v1 import nlu_pb2, training_pb2

BATCH_BYTES = 256 << 10  # of a message, and one example: well below the 4 MB that a message may have
PHRASES = 256  # of a message: each is as long as a text at most
_STATES = {
    training_pb2.JOB_STATE_QUEUED: JobState.QUEUED,
    training_pb2.JOB_STATE_RUNNING: JobState.RUNNING,
    training_pb2.JOB_STATE_SUCCEEDED: JobState.SUCCEEDED,
    training_pb2.JOB_STATE_FAILED: JobState.FAILED,
    training_pb2.JOB_STATE_CANCELLED: JobState.CANCELLED,
}

_PHRASE_KINDS = {
    PhraseKind.SYNONYM: training_pb2.PHRASE_KIND_SYNONYM,
    PhraseKind.LOOKUP: training_pb2.PHRASE_KIND_LOOKUP,
    PhraseKind.REGEX: training_pb2.PHRASE_KIND_REGEX,
}


class UploadMessages:
    """The messages of an upload, made as they are sent; `error` is what broke them off, if anything did.

    gRPC takes them in a thread of its own, and would tell the caller of an error only that there was one.
    """

    def __init__(
        self,
        start: training_pb2.TrainingStart,
        train: Iterable[Example],
        dev: Iterable[Example],
        phrases: Iterable[PhraseList] = (),
    ) -> None:
        self.error: Exception | None = None
        self._messages = _upload(start, train, dev, phrases)

    def __iter__(self) -> Iterator[training_pb2.SubmitTrainingRequest]:
        try:
            yield from self._messages
        except Exception as error:
            self.error = error
            raise


def write_start(
    spec: TrainingSpec, *, slot_kinds: Mapping[str, str], priority: int, idempotency_key: str
) -> training_pb2.TrainingStart:
    """Return the message that begins an upload.

    Raises:
        InvalidRequestError: a value cannot be sent at all.
    """
    kinds = {kind: number for number, kind in KINDS.items()}
    try:
        return training_pb2.TrainingStart(
            spec=training_pb2.TrainingSpec(
                skill=spec.skill,
                kind=kinds[SkillKind(spec.kind)],
                settings=spec.settings,
                alias=spec.alias or "",
                gates=training_pb2.Gates(
                    minimum=spec.gates.minimum,
                    no_regression=spec.gates.no_regression,
                    tolerance=spec.gates.tolerance,
                ),
                grown_from=write_ref(spec.grown_from) if spec.grown_from else None,
            ),
            priority=priority,
            idempotency_key=idempotency_key,
            slot_kinds=slot_kinds,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequestError(f"the training cannot be sent: {error}") from error


def write_list(skill: str, states: Iterable[JobState], limit: int) -> training_pb2.ListJobsRequest:
    """Return the message that asks for jobs.

    Raises:
        InvalidRequestError: a value cannot be sent at all.
    """
    numbers = {state: number for number, state in _STATES.items()}
    try:
        wanted = [numbers[JobState(state)] for state in states]
        return training_pb2.ListJobsRequest(skill=skill, states=wanted, limit=limit)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequestError(f"the list cannot be asked for: {error}") from error


def read_job(message: Any) -> Job:
    """Return the job of a response."""
    job: training_pb2.Job = message.job
    return Job(
        id=job.id,
        spec=_spec(job.spec),
        dataset=job.dataset,
        state=_STATES.get(job.state, JobState.UNSPECIFIED),
        priority=job.priority,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        progress=_progress(job.progress),
        reason=job.reason,
        worker=job.worker,
        version=job.version or None,
        submitted_by=job.submitted_by,
        submitted_at=job.submitted_at.ToDatetime(timezone.utc),
        started_at=_time(job, "started_at"),
        finished_at=_time(job, "finished_at"),
        is_cancel_requested=job.is_cancel_requested,
    )


def read_jobs(message: training_pb2.ListJobsResponse) -> list[Job]:
    """Return the jobs of a list."""
    return [read_job(training_pb2.GetJobResponse(job=each)) for each in message.jobs]


def _upload(
    start: training_pb2.TrainingStart,
    train: Iterable[Example],
    dev: Iterable[Example],
    phrases: Iterable[PhraseList],
) -> Iterator[training_pb2.SubmitTrainingRequest]:
    yield training_pb2.SubmitTrainingRequest(start=start)
    for each in phrases:
        for part in _phrase_parts(each):
            yield training_pb2.SubmitTrainingRequest(phrases=part)
    sent = 0
    for split, examples in (
        (training_pb2.EXAMPLE_SPLIT_TRAIN, train),
        (training_pb2.EXAMPLE_SPLIT_DEV, dev),
    ):
        for batch in _batches(split, examples):
            sent += len(batch.examples)
            yield training_pb2.SubmitTrainingRequest(batch=batch)
    yield training_pb2.SubmitTrainingRequest(end=training_pb2.TrainingEnd(examples=sent))


def _batches(
    split: training_pb2.ExampleSplit, examples: Iterable[Example]
) -> Iterator[training_pb2.ExampleBatch]:
    batch, size = training_pb2.ExampleBatch(split=split), 0
    for number, example in enumerate(examples, start=1):
        message = _example(example, number)
        batch.examples.append(message)
        size += message.ByteSize()
        if size >= BATCH_BYTES:
            yield batch
            batch, size = training_pb2.ExampleBatch(split=split), 0
    if batch.examples:
        yield batch


def _example(example: Example, number: int) -> training_pb2.Example:
    try:
        return training_pb2.Example(
            text=example.text,
            intent=example.intent,
            slots=[
                training_pb2.ExampleSlot(
                    slot=each.slot,
                    start=each.start,
                    end=each.end,
                    value=each.value,
                    resolved=each.resolved,
                    role=each.role,
                    group=each.group,
                )
                for each in example.slots
            ],
            expected_slots=example.expected_slots,
            corrections=example.corrections,
        )
    except (TypeError, ValueError) as error:
        raise InvalidRequestError(f"example {number} cannot be sent: {error}", field="examples") from error


def _phrase_parts(phrases: PhraseList) -> Iterator[training_pb2.PhraseList]:
    try:
        kind = _PHRASE_KINDS[PhraseKind(phrases.kind)]
        for start in range(0, len(phrases.phrases), PHRASES):
            part = phrases.phrases[start : start + PHRASES]
            yield training_pb2.PhraseList(kind=kind, name=phrases.name, phrases=part)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRequestError(
            f"the phrases of {phrases.name!r} cannot be sent: {error}", field="phrases"
        ) from error


def _spec(message: training_pb2.TrainingSpec) -> TrainingSpec:
    gates = message.gates
    return TrainingSpec(
        skill=message.skill,
        kind=read_kind(message.kind),
        settings=dict(message.settings),
        alias=message.alias or None,
        gates=Gates(dict(gates.minimum), gates.no_regression, gates.tolerance),
        grown_from=_ref(message.grown_from),
    )


def _ref(message: nlu_pb2.SkillRef) -> str:
    return f"{message.name}@{message.version or message.alias}" if message.name else ""


def _progress(message: training_pb2.JobProgress) -> JobProgress:
    return JobProgress(
        run=message.run,
        step=message.step,
        steps=message.steps,
        loss=message.loss,
        dev_score=message.dev_score if message.HasField("dev_score") else None,
        score_name=message.score_name,
        seconds_left=message.time_left.ToNanoseconds() / 1e9 if message.HasField("time_left") else None,
    )


def _time(job: training_pb2.Job, field: str) -> datetime | None:
    return getattr(job, field).ToDatetime(timezone.utc) if job.HasField(field) else None
