"""Submissions: what is stored, and that nothing is unless all of it is there and valid."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import grpc
import pytest

from nlu import training_service, training_upload
from nlu.training_client import (
    DeadlineError,
    Example,
    ExampleSlot,
    Gates,
    InvalidRequestError,
    JobState,
    OverloadedError,
    PhraseKind,
    PhraseList,
    SkillKind,
    TrainingSpec,
    UnavailableError,
    UnknownSkillError,
)
from nlu.training_client_wire import BATCH_BYTES, PHRASES
from nlu.v1 import nlu_pb2, training_pb2
from skills.correction import CorrectedSentence
from skills.formats import PhraseKind as Phrases
from skills.formats import PhraseList as Listed
from skills.job import JobRequest
from skills.resolution import SlotType, ValueKind
from skills.skill import SkillDraft
from skills.skill import SkillKind as Kind
from skills.training_data import TrainingData
from skills.utterance import Entity, Utterance

SECONDS = 30.0  # a test that waits for longer has failed

CITY = ExampleSlot("city", 3, 7, "Oslo", resolved="OSL", role="to", group="1")
SLOT_ROWS = [Example(f"to Oslo at {hour}", slots=(CITY,), expected_slots=("city",)) for hour in range(6)]
SLOT_UTTERANCES = tuple(
    Utterance(row.text, "", entities=(Entity("city", 3, 7, "OSL", "to", "1"),), expected_slots=("city",))
    for row in SLOT_ROWS
)

Part = training_pb2.SubmitTrainingRequest
START = Part(
    start=training_pb2.TrainingStart(
        spec=training_pb2.TrainingSpec(skill="concierge", kind=nlu_pb2.SKILL_KIND_INTENT)
    )
)
BATCH = Part(batch=training_pb2.ExampleBatch(examples=[training_pb2.Example(text="a", intent="b")]))


def end(examples: int) -> Part:
    return Part(end=training_pb2.TrainingEnd(examples=examples))


@pytest.mark.parametrize(
    ("kind", "examples", "rows"),
    [
        (SkillKind.SLOTS, SLOT_ROWS, SLOT_UTTERANCES),
        (
            SkillKind.JOINT,
            [replace(row, intent=f"fly {i % 2}") for i, row in enumerate(SLOT_ROWS)],
            [replace(row, intent=f"fly {i % 2}") for i, row in enumerate(SLOT_UTTERANCES)],
        ),
        (
            SkillKind.GRAMMAR,
            [Example(f"he go {i}", corrections=(f"he goes {i}", f"he went {i}")) for i in range(12)],
            [CorrectedSentence(f"he go {i}", (f"he goes {i}", f"he went {i}")) for i in range(12)],
        ),
    ],
)
def test_rows_of_every_kind_are_stored_as_they_were_sent(
    server: Any, spec: TrainingSpec, kind: SkillKind, examples: list[Example], rows: Any
) -> None:
    job = server.client.submit(replace(spec, kind=kind), iter(examples))
    stored = server.catalog.jobs.data(server.catalog.jobs.get(job.id))
    assert stored == TrainingData(Kind(kind.value), tuple(rows)).to_bytes()


def test_what_is_said_of_the_values_of_slots_is_stored_beside_the_rows(
    server: Any, spec: TrainingSpec
) -> None:
    cities = tuple(f"city {number}" for number in range(2 * PHRASES + 1))
    phrases = [
        PhraseList(PhraseKind.LOOKUP, "city", cities),
        PhraseList(PhraseKind.SYNONYM, "OSL", ("Oslo", "Christiania")),
        PhraseList(PhraseKind.REGEX, "city", ("[A-Z]{3}",)),
    ]
    job = server.client.submit(
        replace(spec, kind=SkillKind.SLOTS), SLOT_ROWS, phrases=phrases, slot_kinds={"city": "text"}
    )
    data = TrainingData.from_bytes(server.catalog.jobs.data(server.catalog.jobs.get(job.id)))
    assert data.phrases == tuple(Listed(Phrases(each.kind), each.name, each.phrases) for each in phrases)
    assert data.slot_types == {"city": SlotType(ValueKind.TEXT)}


def test_an_intent_skill_has_no_use_for_phrases(
    server: Any, spec: TrainingSpec, examples: list[Example]
) -> None:
    phrases = [PhraseList(PhraseKind.LOOKUP, "city", ("Oslo",))]
    job = server.client.submit(spec, examples, phrases=phrases, slot_kinds={"city": "date"})
    assert server.catalog.jobs.data(server.catalog.jobs.get(job.id)) == (
        server.catalog.jobs.data(server.catalog.jobs.get(server.client.submit(spec, examples).id))
    )


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"phrases": [PhraseList("lookups", "city", ("Oslo",))]}, "phrases"),  # type: ignore[arg-type]
        ({"phrases": [PhraseList(PhraseKind.LOOKUP, " ", ("Oslo",))]}, "phrases.name"),
        ({"phrases": [PhraseList(PhraseKind.LOOKUP, "city", ("Oslo", ""))]}, "phrases.phrases"),
        ({"phrases": [PhraseList(PhraseKind.REGEX, "city", ("(",))]}, "patterns"),
        ({"slot_kinds": {"city": "dates"}}, "slot_types"),
        ({"slot_kinds": {"town": "date"}}, "slot_types"),
    ],
)
def test_wrong_phrases_and_kinds_are_refused(
    server: Any, spec: TrainingSpec, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        server.client.submit(replace(spec, kind=SkillKind.SLOTS), SLOT_ROWS, **more)
    assert raised.value.field == field
    assert server.catalog.jobs.list() == []


def test_a_skill_that_grows_keeps_its_rows_and_learns_what_it_was_told(
    server: Any, spec: TrainingSpec, examples: list[Example], make_draft: Callable[..., SkillDraft]
) -> None:
    job = server.client.submit(spec, examples)
    lease = server.catalog.jobs.claim("a worker")
    server.catalog.publish(make_draft(), alias="live", lease=lease)
    server.catalog.exemplars.add("concierge", "it is gone", "lost_card")
    server.catalog.exemplars.add("concierge", "of no intent of it", "unheard")
    more = [Example("what do I owe", intent="debt"), Example(examples[0].text, intent="debt")]
    grown = server.client.submit(replace(spec, grown_from="concierge@live"), more)
    rows = TrainingData.from_bytes(server.catalog.jobs.data(server.catalog.jobs.get(grown.id))).train
    told = {"it is gone": "lost_card", "what do I owe": "debt", examples[0].text: "debt"}
    found = {row.text: row.intent for row in rows if isinstance(row, Utterance)}
    assert found == {row.text: row.intent for row in examples} | told
    assert job.id != grown.id


def test_what_is_asked_for_is_in_the_job(
    server: Any, spec: TrainingSpec, examples: list[Example], make_draft: Callable[..., SkillDraft]
) -> None:
    server.catalog.publish(make_draft(), alias="live")
    wanted = replace(
        spec,
        settings={"epochs": "3", "prompt_rate": "0.01"},
        alias="candidate",
        gates=Gates({"accuracy": 0.5}, no_regression=True, tolerance=0.125),
        grown_from="concierge@live",
    )
    job = server.client.submit(wanted, examples[:4], dev=examples[4:], priority=-2)

    assert job.spec == replace(wanted, grown_from="concierge@1")
    assert (job.state, job.priority, job.attempts, job.version) == (JobState.QUEUED, -2, 0, None)
    assert job.submitted_by.startswith("grpc:ipv4:127.0.0.1:")
    stored = server.catalog.jobs.get(job.id)
    assert stored.request == JobRequest(
        "concierge",
        Kind.INTENT,
        {"epochs": "3", "prompt_rate": "0.01"},
        "candidate",
        {"minimum": {"accuracy": 0.5}, "no_regression": True, "tolerance": 0.125},
        "concierge@1",
    )
    data = TrainingData.from_bytes(server.catalog.jobs.data(stored))
    assert [row.text for row in data.train] == [example.text for example in examples[:4]]
    assert [row.text for row in data.dev or ()] == [example.text for example in examples[4:]]
    assert server.client.get_job(job.id) == job


@pytest.mark.parametrize(("alias", "stored"), [("live", "live"), (None, None)])
def test_an_alias_is_given_or_not(
    server: Any, spec: TrainingSpec, examples: list[Example], alias: str | None, stored: str | None
) -> None:
    job = server.client.submit(replace(spec, alias=alias), examples)
    assert server.catalog.jobs.get(job.id).request.alias == stored
    assert job.spec.alias == alias


def test_other_clients_get_the_alias_live_unless_they_say_otherwise(server: Any) -> None:
    batches = [Part(batch=training_pb2.ExampleBatch(examples=_messages(6)))]
    response = server.stub.SubmitTraining(iter([START, *batches, end(6)]))
    assert response.job.spec.alias == "live"


def test_many_examples_travel_in_several_messages(server: Any, spec: TrainingSpec) -> None:
    long = [Example(f"{number} {'x' * 1900}", intent=str(number % 2)) for number in range(3000)]
    assert sum(len(each.text) for each in long) > 20 * BATCH_BYTES
    job = server.client.submit(spec, long)
    data = TrainingData.from_bytes(server.catalog.jobs.data(server.catalog.jobs.get(job.id)))
    assert [row.text for row in data.train] == [each.text for each in long]


def test_submissions_with_one_key_are_one_job(
    server: Any, spec: TrainingSpec, examples: list[Example]
) -> None:
    first = server.client.submit(spec, examples, idempotency_key="k")
    assert server.client.submit(spec, examples, idempotency_key="k") == first
    assert server.client.submit(spec, examples, idempotency_key="l").id != first.id
    assert len(server.client.list_jobs()) == 2


@pytest.mark.parametrize(
    ("kind", "example", "field", "message"),
    [
        (SkillKind.INTENT, Example("", intent="a"), "text", "text is blank"),
        (SkillKind.INTENT, Example("a"), "intent", "intent is blank"),
        (SkillKind.INTENT, Example("a" * 2001, intent="a"), "text", "at most 2,000"),
        (SkillKind.SLOTS, Example("to Oslo", slots=(replace(CITY, end=6),)), "slots", "from 3 to 7"),
        (SkillKind.SLOTS, Example("to Oslo", slots=(CITY, CITY)), "slots", "overlap"),
        (SkillKind.GRAMMAR, Example("he go"), "corrections", "corrections are missing"),
    ],
)
@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_bad_row_is_named_and_ends_the_upload(
    server: Any,
    spec: TrainingSpec,
    kind: SkillKind,
    example: Example,
    field: str,
    message: str,
    split: str,
) -> None:
    good = Example("to Oslo", intent="a", corrections=("to Oslo",))
    rows = {"examples": [good], "dev": [good]} | {"examples" if split == "train" else split: [good, example]}
    with pytest.raises(InvalidRequestError, match=rf"^{split}:2: .*{message}") as raised:
        server.client.submit(replace(spec, kind=kind), **rows)
    assert raised.value.field == field
    assert server.catalog.jobs.list() == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"skill": "No Name"}, "spec.skill"),
        ({"kind": SkillKind.INTENT, "settings": {"epoch": "3"}}, "epoch"),
        ({"settings": {"epochs": "many"}}, "epochs"),
        ({"settings": {"epochs": "0"}}, "epochs"),
        ({"settings": {"cls": "0"}}, "cls"),
        ({"settings": {str(number): "" for number in range(65)}}, "spec.settings"),
        ({"alias": "7"}, "spec.alias"),
        ({"alias": "No Alias"}, "spec.alias"),
        ({"gates": Gates({"accuracy": math.nan})}, "gates"),
        ({"gates": Gates(tolerance=-1.0)}, "gates"),
        ({"gates": Gates({str(number): 0.0 for number in range(65)})}, "spec.gates.minimum"),
        ({"grown_from": "No Name@1"}, "spec.grown_from.name"),
    ],
)
def test_a_wrong_spec_is_refused_at_submission(
    server: Any, spec: TrainingSpec, examples: list[Example], changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        server.client.submit(replace(spec, **changes), examples)
    assert raised.value.field == field
    assert server.catalog.jobs.list() == []


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"idempotency_key": "k" * 65}, "key"),
        ({"idempotency_key": "a\nb"}, "key"),
        ({"priority": 1001}, "priority"),
    ],
)
def test_keys_and_priorities_are_within_bounds(
    server: Any, spec: TrainingSpec, examples: list[Example], order: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        server.client.submit(spec, examples, **order)
    assert raised.value.field == field


def test_rows_that_cannot_be_trained_on_are_refused_at_submission(server: Any, spec: TrainingSpec) -> None:
    with pytest.raises(InvalidRequestError, match="at least 2 are needed"):
        server.client.submit(spec, [Example("I lost my card", intent="only"), Example("a", intent="only")])
    assert server.catalog.jobs.list() == []


def test_a_skill_grows_from_a_version_of_its_kind(
    server: Any, spec: TrainingSpec, examples: list[Example], make_draft: Callable[..., SkillDraft]
) -> None:
    with pytest.raises(UnknownSkillError, match="concierge"):
        server.client.submit(replace(spec, grown_from="concierge@1"), examples)
    server.catalog.publish(make_draft(name="grammar", kind=Kind.GRAMMAR))
    with pytest.raises(InvalidRequestError, match="grammar@1 is of kind grammar, not intent") as raised:
        server.client.submit(replace(spec, grown_from="grammar@1"), examples)
    assert raised.value.field == "spec.grown_from"


def test_a_skill_keeps_its_kind(
    server: Any, spec: TrainingSpec, examples: list[Example], make_draft: Callable[..., SkillDraft]
) -> None:
    server.catalog.publish(make_draft(kind=Kind.SLOTS))
    with pytest.raises(InvalidRequestError, match="of kind slots, not intent") as raised:
        server.client.submit(spec, examples)
    assert raised.value.field == "spec.kind"


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([], "start"),
        ([BATCH], "start"),
        ([Part()], "start"),
        ([START, START], "start"),
        ([START, Part()], "batch"),
        ([START, BATCH], "end"),
        ([START, BATCH, end(2)], "end.examples"),
        ([START, BATCH, end(1), BATCH], "batch"),
        ([START, BATCH, end(1), end(1)], "end"),
        ([START, end(0)], "batch"),
        ([START, Part(batch=training_pb2.ExampleBatch(split=9))], "batch.split"),  # type: ignore[arg-type]
        ([Part(start=training_pb2.TrainingStart(spec=training_pb2.TrainingSpec(skill="a")))], "spec.kind"),
    ],
)
def test_parts_out_of_order_are_refused(server: Any, parts: list[Part], field: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        server.stub.SubmitTraining(iter(parts))
    error: Any = raised.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    trailers = dict(error.trailing_metadata())
    assert nlu_pb2.ItemStatus.FromString(trailers["softspoken-status-bin"]).field == field
    assert server.catalog.jobs.list() == []


@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_BYTES"])
def test_reading_stops_at_the_limit(
    server: Any, spec: TrainingSpec, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(training_upload, limit, 1000)
    endless = (Example(f"{number} {'x' * 1000}", intent="a") for number in itertools.count())
    with pytest.raises(InvalidRequestError, match="more than 1,000"):
        server.client.submit(spec, endless)
    assert server.catalog.jobs.list() == []


def test_examples_that_are_too_many_bytes_as_stored_are_refused(
    server: Any, spec: TrainingSpec, examples: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_service, "MAX_BYTES", 100)
    with pytest.raises(InvalidRequestError, match="bytes as stored"):
        server.client.submit(spec, examples)
    assert server.catalog.jobs.list() == []


def test_what_the_examples_raise_is_raised_and_nothing_is_stored(
    server: Any, spec: TrainingSpec, examples: list[Example], ended: Callable[[str], Any]
) -> None:
    def broken() -> Iterator[Example]:
        yield from examples
        raise OSError("the disk is gone")

    with ended("SubmitTraining"), pytest.raises(OSError, match="the disk is gone"):
        server.client.submit(spec, broken())
    with ended("SubmitTraining"), pytest.raises(InvalidRequestError, match="example 1 cannot be sent"):
        server.client.submit(spec, [Example("\ud800", intent="half")])
    assert server.catalog.jobs.list() == []


def test_a_stream_that_is_cut_leaves_nothing_behind(server: Any, ended: Callable[[str], Any]) -> None:
    sent, cut = threading.Event(), threading.Event()

    def parts() -> Iterator[Part]:
        yield START
        yield Part(batch=training_pb2.ExampleBatch(examples=_messages(6)))
        sent.set()
        cut.wait(SECONDS)

    with ended("SubmitTraining"):
        call = server.stub.SubmitTraining.future(parts())
        assert sent.wait(SECONDS)
        call.cancel()
        cut.set()
    assert server.catalog.jobs.list() == []


@pytest.mark.parametrize("whose", ["client", "server"])
def test_a_slow_stream_ends_at_its_deadline(
    server: Any,
    spec: TrainingSpec,
    examples: list[Example],
    ended: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
    whose: str,
) -> None:
    if whose == "server":
        monkeypatch.setattr(training_service, "UPLOAD_SECONDS", 0.5)
    over = threading.Event()

    def slow() -> Iterator[Example]:
        yield from examples
        over.wait(SECONDS)

    with ended("SubmitTraining"), pytest.raises(DeadlineError):
        server.client.submit(spec, slow(), timeout=0.5 if whose == "client" else SECONDS)
    over.set()
    assert server.catalog.jobs.list() == []


def test_a_stopping_server_ends_an_upload(server: Any, spec: TrainingSpec, examples: list[Example]) -> None:
    over = threading.Event()

    def stopped() -> Iterator[Example]:
        yield from examples
        server.stop()
        over.wait(SECONDS)

    with pytest.raises(UnavailableError):
        server.client.submit(spec, stopped())
    over.set()
    assert server.catalog.jobs.list() == []


def test_uploads_beyond_the_limit_are_refused_at_once(
    serve: Callable[..., AbstractContextManager[Any]], spec: TrainingSpec, examples: list[Example]
) -> None:
    checking, gate = threading.Semaphore(0), threading.Event()

    def check(request: JobRequest, data: TrainingData) -> None:
        checking.release()
        assert gate.wait(SECONDS)

    uploads = training_service.MAX_UPLOADS
    with serve(check=check) as server, ThreadPoolExecutor(uploads) as pool:
        accepted = [pool.submit(server.client.submit, spec, examples) for _ in range(uploads)]
        assert all(checking.acquire(timeout=SECONDS) for _ in accepted)
        with pytest.raises(OverloadedError) as raised:
            server.client.submit(spec, examples)
        gate.set()
        assert raised.value.retry_after == training_service.RETRY_SECONDS
        assert len({job.result(SECONDS).id for job in accepted}) == uploads


def _messages(number: int) -> list[training_pb2.Example]:
    return [training_pb2.Example(text=f"row {i}", intent="ab"[i % 2]) for i in range(number)]
