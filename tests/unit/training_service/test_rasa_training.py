"""What `rasa train` has trained: Rasa's training data as a real TrainingService gets it; without Rasa."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from nlu.client_errors import ClientError, InvalidRequestError
from nlu.rasa import training
from nlu.rasa.config import Config
from nlu.rasa.training import TrainingFailedError, asking, read_data, train_skill
from nlu.training_client import Example, ExampleSlot, PhraseKind, PhraseList
from skills.job import JobProgress
from skills.skill import SkillDraft
from skills.skill import SkillKind as Kind
from skills.training_data import TrainingData

SECONDS = 30.0  # a test that waits for longer has failed

LOST: dict[str, Any] = {"text": "I lost  my card ", "intent": "lost", "entities": []}
TRIP: dict[str, Any] = {
    "text": "from the [big] apple  to Rome",
    "intent": "book",
    "entities": [
        {"entity": "city", "start": 5, "end": 22, "value": "New York", "role": "from"},
        {"entity": "city", "start": 25, "end": 29, "value": "Rome", "role": "to", "group": "1"},
    ],
}
HOURS: dict[str, Any] = {"text": "when do you open", "intent": "faq", "intent_response_key": "faq/hours"}


@dataclass(frozen=True)
class Message:
    """As much of Rasa's Message as is read."""

    data: dict[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        return self.data.get(key, default)

    def get_full_intent(self) -> Any:
        return self.get("intent_response_key") or self.get("intent")


@dataclass(frozen=True)
class RasaData:
    """As much of Rasa's TrainingData as is read."""

    rows: tuple[dict[str, Any], ...] = (LOST, TRIP, HOURS)
    entity_synonyms: dict[str, str] = field(default_factory=dict)
    lookup_tables: list[dict[str, Any]] = field(default_factory=list)
    regex_features: list[dict[str, str]] = field(default_factory=list)

    @property
    def nlu_examples(self) -> list[Message]:
        return [Message(row) for row in self.rows]


def many() -> RasaData:
    """Data that a skill can be trained on."""
    trips = ({**TRIP, "text": f"{TRIP['text']} {number}"} for number in range(4))
    return RasaData((*trips, *({**LOST, "text": f"lost card {number}"} for number in range(4))))


def config(server: Any, **values: Any) -> Config:
    return replace(
        Config(address=server.address, train_on="rasa_train", train_skill="concierge", train_timeout=SECONDS),
        **values,
    )


def stored(server: Any, job_id: int) -> TrainingData:
    return TrainingData.from_bytes(server.catalog.jobs.data(server.catalog.jobs.get(job_id)))


def test_rasas_data_is_read_as_it_is_marked() -> None:
    found = read_data(RasaData())
    assert found.phrases == ()
    assert found.examples == (
        Example("I lost  my card ", intent="lost"),
        Example(
            TRIP["text"],
            intent="book",
            slots=(
                ExampleSlot("city", 5, 20, "the [big] apple", resolved="New York", role="from"),
                ExampleSlot("city", 25, 29, "Rome", role="to", group="1"),
            ),
        ),
        Example("when do you open", intent="faq/hours"),
    )


def test_phrases_of_no_entity_are_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    tables: list[dict[str, Any]] = [
        {"name": "city", "elements": ["Rome", "Oslo", " "]},
        {"name": "airline", "elements": ["Ours"]},
        {"name": "town", "elements": "towns.txt"},
    ]
    patterns = [{"name": "city", "pattern": "[A-Z]{3}"}, {"name": "greeting", "pattern": "hey+"}]
    with caplog.at_level(logging.WARNING):
        found = read_data(RasaData((TRIP,), {"big apple": "New York", "NYC": "New York"}, tables, patterns))
    assert found.phrases == (
        PhraseList(PhraseKind.SYNONYM, "New York", ("big apple", "NYC")),
        PhraseList(PhraseKind.LOOKUP, "city", ("Rome", "Oslo")),
        PhraseList(PhraseKind.REGEX, "city", ("[A-Z]{3}",)),
    )
    assert [message.split(":")[0] for message in caplog.messages] == [
        "lookup table town is in a file of its own",
        "lookup airline",
        "regex greeting",
    ]


def test_a_version_is_asked_instead_of_others_of_its_skill() -> None:
    made = Config(train_skill="concierge", skills=("concierge@live", "grammar", "concierge2@1"))
    assert asking(made, "concierge@3").skills == ("concierge@3", "grammar", "concierge2@1")


@pytest.mark.parametrize(
    ("halves", "kind"),
    [
        ({}, Kind.JOINT),
        ({"entities": False}, Kind.INTENT),
        ({"intents": False}, Kind.SLOTS),
    ],
)
def test_what_the_component_does_is_what_is_trained(
    server: Any, make_draft: Callable[..., SkillDraft], halves: dict[str, bool], kind: Kind
) -> None:
    settings = config(
        server, train_settings=(("seed", "14"),), train_slot_kinds=(("city", "text"),), **halves
    )
    with ThreadPoolExecutor(1) as pool:
        version = pool.submit(train_skill, settings, many())
        lease = claimed(server)
        server.catalog.publish(make_draft(kind=kind), lease=lease)
        assert version.result(SECONDS) == "concierge@1"
    request = lease.job.request
    assert (request.kind, request.alias, request.config) == (kind, None, {"seed": "14"})
    data = stored(server, lease.job.id)
    assert (len(data.train), data.kind) == (8, kind)
    assert ("city" in data.slot_types) is (kind is not Kind.INTENT)

    assert train_skill(settings, many()) == "concierge@1"  # the same data is the same job
    assert len(server.catalog.jobs.list()) == 1


def test_a_job_that_failed_is_an_error_with_its_reason_and_is_tried_again(
    server: Any, make_draft: Callable[..., SkillDraft]
) -> None:
    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(train_skill, config(server), many())
        server.catalog.jobs.fail(claimed(server), "the disk is full", retry=False)
        with pytest.raises(TrainingFailedError, match="job 1 has failed: the disk is full"):
            failing.result(SECONDS)

        again = pool.submit(train_skill, config(server), many())
        server.catalog.publish(make_draft(kind=Kind.JOINT), lease=claimed(server))
        assert again.result(SECONDS) == "concierge@1"


def test_rasas_log_tells_how_far_a_job_is(
    server: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "LOG_SECONDS", 0.0)
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.INFO):
        waiting = pool.submit(train_skill, config(server), many())
        lease = claimed(server)
        server.catalog.jobs.heartbeat(lease, JobProgress("tune", 20, 100, 0.5, 0.75, "accuracy", 12.5))
        until(lambda: "job 1 is running: tune, step 20 of 100, accuracy 0.750, 12 s left" in caplog.text)
        server.catalog.jobs.cancel(1)
        server.catalog.jobs.release(lease)
        with pytest.raises(TrainingFailedError, match="job 1 was cancelled"):
            waiting.result(SECONDS)


def test_a_job_that_takes_too_long_goes_on(server: Any) -> None:
    with pytest.raises(TrainingFailedError, match=r"job 1 is queued after 0\.2 s .* it goes on"):
        train_skill(config(server, train_timeout=0.2), many())
    assert server.catalog.jobs.get(1).finished_at is None


def test_a_server_that_stops_is_waited_for(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as pool, caplog.at_level(logging.WARNING):
        waiting = pool.submit(train_skill, config(server, train_timeout=2), many())
        claimed(server)
        server.stop()
        with pytest.raises(ClientError):
            waiting.result(SECONDS)
    assert "job 1 goes on, but its server does not answer" in caplog.text


def test_what_the_service_refuses_is_an_error(server: Any) -> None:
    with pytest.raises(InvalidRequestError, match="sed"):
        train_skill(config(server, train_settings=(("sed", "1"),)), many())
    with pytest.raises(InvalidRequestError, match="slot"):
        train_skill(config(server), RasaData(tuple({**LOST, "text": f"lost {n}"} for n in range(4))))


def claimed(server: Any) -> Any:
    """Return the lease of a job as soon as there is one."""
    return until(lambda: server.catalog.jobs.claim("a worker"))


def until(look: Callable[[], Any]) -> Any:
    """Return what is looked for as soon as it is there."""
    pause, deadline = threading.Event(), time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        pause.wait(0.05)
    raise AssertionError("it never came")
