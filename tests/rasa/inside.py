"""Checks of the component that run in Rasa's environment, by Rasa's Python: `python -m tests.rasa.inside`.

Each check gets a scripted service and its address, and fails by an AssertionError.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
from rasa.core.actions.action import ActionRetrieveResponse
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.engine.training.fingerprinting import calculate_fingerprint_key
from rasa.nlu.classifiers.fallback_classifier import FallbackClassifier
from rasa.shared.core.domain import Domain
from rasa.shared.core.events import BotUttered, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from rasa.shared.exceptions import InvalidConfigException, RasaException
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.rasa import SoftspokenNLU
from nlu.v1 import nlu_pb2
from tests.rasa.scripted import ScriptedServicer, serving

CONTEXT = ExecutionContext(GraphSchema({}))
FALLBACK = FallbackClassifier({"threshold": 0.3, "ambiguity_threshold": 0.1})
DOMAIN = """
version: "3.1"
entities: [city]
slots:
  destination: {type: text, mappings: [{type: from_entity, entity: city}]}
forms:
  trip_form: {required_slots: [destination]}
"""


def config(address: str, **values: Any) -> dict[str, Any]:
    return {**SoftspokenNLU.get_default_config(), "address": address, "timeout": 20, **values}


def component(address: str, **values: Any) -> SoftspokenNLU:
    storage = LocalModelStorage(Path(tempfile.mkdtemp()))
    return SoftspokenNLU.create(config(address, **values), storage, Resource("nlu"), CONTEXT)


def parsed(made: SoftspokenNLU, text: str, **data: Any) -> dict[str, Any]:
    """What Rasa would answer, after its FallbackClassifier and its JSON."""
    [message] = FALLBACK.process(made.process([Message({"text": text, **data}, output_properties={"text"})]))
    found: dict[str, Any] = json.loads(json.dumps(message.as_dict(only_output_properties=True)))
    return found


def check_a_message_is_filled(servicer: ScriptedServicer, address: str) -> None:
    found = parsed(component(address), "Paris now")
    assert found["intent"] == {"name": "greet", "confidence": 0.75}, found
    assert [each["name"] for each in found["intent_ranking"]] == ["greet", "leave"]
    [entity] = found["entities"]
    assert entity == {
        "entity": "city",
        "start": 0,
        "end": 5,
        "value": "PARIS",
        "raw": "Paris",
        "confidence_entity": 0.75,
        "extractor": "SoftspokenNLU",
    }
    assert found["softspoken"] == {"outcome": "matched", "skills": ["concierge@1"], "request_id": "r1"}


def check_out_of_scope_is_rasas_fallback_once(servicer: ScriptedServicer, address: str) -> None:
    servicer.outcome = nlu_pb2.OUTCOME_OUT_OF_SCOPE
    found = parsed(component(address), "boil an egg")
    assert found["intent"] == {"name": "nlu_fallback", "confidence": 1.0}
    assert [each["name"] for each in found["intent_ranking"]] == ["nlu_fallback", "greet", "leave"]


def check_a_retrieval_intent_is_answered_by_its_response(servicer: ScriptedServicer, address: str) -> None:
    servicer.intents = [("faq/opening", 0.75), ("faq/fines", 0.125), ("leave", 0.125)]
    found = parsed(component(address), "when do you open", response_selector={"default": {"response": {}}})
    assert found["intent"] == {"name": "faq", "confidence": 0.75}, found
    assert set(found["response_selector"]) == {"all_retrieval_intents", "default", "faq"}
    tracker = DialogueStateTracker("user-7", [])
    tracker.update(UserUttered(found["text"], found["intent"], parse_data=found))
    assert ActionRetrieveResponse("utter_faq").get_full_retrieval_name(tracker) == "utter_faq/opening"


def check_failures_are_fallbacks(servicer: ScriptedServicer, address: str) -> None:
    for code in grpc.StatusCode:
        if code is grpc.StatusCode.OK:
            continue
        servicer.code = code
        found = parsed(component(address, timeout=19 + code.value[0] / 100), "hello")
        assert found["intent"]["name"] == "nlu_fallback", code
        assert (found["entities"], found["softspoken"]["outcome"]) == ([], "failed"), code
    assert parsed(component("127.0.0.1:1"), "hello")["softspoken"]["reason"] == "UnavailableError"


def check_raise_raises(servicer: ScriptedServicer, address: str) -> None:
    servicer.code = grpc.StatusCode.UNAUTHENTICATED
    try:
        parsed(component(address, on_failure="raise"), "hello")
    except RasaException as error:
        assert "as the test says" in str(error), error
        return
    raise AssertionError("nothing was raised")


def check_what_no_user_said_is_not_sent(servicer: ScriptedServicer, address: str) -> None:
    made = component(address)
    assert parsed(made, "")["intent"]["name"] == "nlu_fallback"
    assert parsed(made, '/greet{"city": "Oslo"}')["intent"]["name"] == "nlu_fallback"  # Rasa decodes it later
    assert not servicer.parsed
    messages = made.process([Message.build(text) for text in ("Paris", "", "Milan")])
    assert servicer.batches == [2]
    assert [[each["raw"] for each in message.get("entities")] for message in messages] == [
        ["Paris"],
        [],
        ["Milan"],
    ]


def check_each_half_leaves_the_other_alone(servicer: ScriptedServicer, address: str) -> None:
    before = {"entity": "day", "start": 6, "end": 9, "value": "now", "extractor": "RegexEntityExtractor"}
    of_others: dict[str, Any] = {"entities": [before], "intent": {"name": "ask", "confidence": 0.9}}
    both = parsed(component(address), "Paris now", **of_others)
    assert [each["entity"] for each in both["entities"]] == ["day", "city"]
    intents = component(address, entities=False).process([Message({"text": "Paris now", **of_others})])[0]
    assert intents.get("intent")["name"] == "greet" and intents.get("entities") == [before]
    entities = component(address, intents=False).process([Message({"text": "Paris now", **of_others})])[0]
    assert entities.get("intent")["name"] == "ask" and len(entities.get("entities")) == 2


def check_the_dialog_is_passed_on(servicer: ScriptedServicer, address: str) -> None:
    domain = Domain.from_yaml(DOMAIN)
    tracker = DialogueStateTracker.from_events("user-7", [], slots=domain.slots)
    tracker.update_with_events([SlotSet("requested_slot", "destination"), BotUttered("Where to?")], domain)
    options = {
        "min_confidence": 0.25,
        "intent_ranking_length": 4,
        "skills": ["concierge@2"],
        "correct_grammar": True,
    }
    component(address, **options).process([Message.build("Paris")], tracker=tracker)
    [request] = servicer.parsed
    context = request.context
    assert (context.session_id, context.previous_system_utterance) == ("user-7", "Where to?")
    assert list(context.expected_slots) == ["destination", "city"]
    assert (request.options.min_confidence, request.options.n_best) == (0.25, 4)
    assert request.options.correct_grammar
    assert (request.skills[0].name, request.skills[0].version) == ("concierge", 2)


def check_training_refuses_what_cannot_work(servicer: ScriptedServicer, address: str) -> None:
    for values, words in (
        (config(address, skils=["a"]), "SoftspokenNLU: unknown keys: skils"),
        (config(address, timeout=-1), "SoftspokenNLU: timeout is -1"),
        (config(address, skills=["other"]), "no skill other@live"),
        (config(address, correct_grammar=True), "no skill is of the kind grammar"),
        (config("127.0.0.1:1"), "softspoken at 127.0.0.1:1 must be running while a model is trained"),
        (config(address, tls_ca="nowhere.pem"), "cannot read a TLS file"),
    ):
        try:
            calculate_fingerprint_key(SoftspokenNLU, values, {})
        except InvalidConfigException as error:
            assert words in str(error), error
        else:
            raise AssertionError(f"{words!r} was not said")


def check_a_new_version_is_another_fingerprint(servicer: ScriptedServicer, address: str) -> None:
    def key() -> Any:
        return calculate_fingerprint_key(SoftspokenNLU, config(address, skills=["concierge"]), {})

    before = key()
    assert key() == before
    assert SoftspokenNLU.fingerprint_addon({"output": None}) is None  # asked of what comes out of the cache
    servicer.version = nlu_pb2.SkillVersionRef(name="concierge", version=2, sha256="cd" * 32)
    assert key() != before


def check_the_model_notes_the_versions(servicer: ScriptedServicer, address: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        storage = LocalModelStorage(Path(folder))
        made = SoftspokenNLU.create(config(address), storage, Resource("nlu"), CONTEXT)
        training_data = TrainingData(
            [Message({"text": "x", "intent": name}) for name in ("greet", "unknown")]
        )
        with Logged("nlu.rasa.component") as lines:
            resource = made.train(training_data)
            servicer.code = grpc.StatusCode.UNAVAILABLE  # a model loads without a service
            loaded = SoftspokenNLU.load(config(address), storage, resource, CONTEXT)
    assert "no skill knows: unknown" in lines[0]
    assert lines[1].endswith("concierge@1 (abababababab)")
    assert parsed(loaded, "hello")["intent"]["name"] == "nlu_fallback"


class Logged(logging.Handler):
    """Collects the lines of a logger within a block."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._logger = logging.getLogger(name)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def __enter__(self) -> list[str]:
        self._logger.setLevel(logging.INFO)
        self._logger.addHandler(self)
        return self._lines

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            servicer = ScriptedServicer()
            with serving(servicer) as address:
                check(servicer, address)
            sys.stdout.write(f"{name}\n")
