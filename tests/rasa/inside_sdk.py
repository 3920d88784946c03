"""Checks of the actions that run in rasa-sdk's environment: `python -m tests.rasa.inside_sdk`, in a project.

Each check gets a scripted service, whose slot `city` is a text's first five characters, and its address.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, ParseDict
from rasa_sdk import Tracker
from rasa_sdk.executor import CollectingDispatcher
from rasa_sdk.grpc_py import action_webhook_pb2, action_webhook_pb2_grpc

from nlu.rasa.actions import ActionClarify, ActionCorrectGrammar, SoftspokenFormValidationAction
from nlu.v1 import nlu_pb2
from tests.rasa.assistant import SECONDS, free_port
from tests.rasa.scripted import ScriptedServicer, serving

DOMAIN = {
    "forms": {"trip_form": {"required_slots": ["origin", "destination", "note"]}},
    "slots": {"corrected_text": {}},
    "responses": {"utter_invalid_destination": []},
}


def form(address: str, **changes: Any) -> Any:
    """An action for `trip_form`."""

    class ValidateTripForm(SoftspokenFormValidationAction):
        settings: Mapping[str, Any] = {"address": address, "timeout": 20}
        fills: Mapping[str, str] = {"origin": "city:origin", "destination": "city:destination"}

        def name(self) -> str:
            return "validate_trip_form"

    for name, value in changes.items():
        setattr(ValidateTripForm, name, value)
    return ValidateTripForm()


def tracker(text: str, *candidates: tuple[str, str], requested: str | None = None, **message: Any) -> Tracker:
    said = [{"event": "bot", "text": "Where to?"}, {"event": "user", "text": text}]
    events = [*said, *({"event": "slot", "name": name, "value": value} for name, value in candidates)]
    slots = {"requested_slot": requested, **dict(candidates)}
    latest = {"text": text, "intent": {"name": "trip"}, **message}
    return Tracker("user-7", slots, latest, events, False, None, {"name": "trip_form"}, None)


def run(action: Any, of: Tracker) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The slots that the action sets, and what it says."""
    dispatcher = CollectingDispatcher()
    events = asyncio.run(action.run(dispatcher, of, DOMAIN))
    return {event["name"]: event["value"] for event in events}, dispatcher.messages


def check_a_bare_answer_fills_the_slot_asked_for(servicer: ScriptedServicer, address: str) -> None:
    of = tracker("Paris", ("destination", "Paris"), requested="destination")
    assert run(form(address), of) == ({"destination": "PARIS"}, [])
    [request] = servicer.parsed
    assert list(request.context.expected_slots) == ["city"]
    assert (request.context.session_id, request.context.previous_system_utterance) == ("user-7", "Where to?")


def check_one_answer_fills_several_slots(servicer: ScriptedServicer, address: str) -> None:
    servicer.slots = [("city", "origin", "OSL"), ("city", "destination", "FCO"), ("day", "", "2026-01-01")]
    assert run(form(address), tracker("Oslo to Rome")) == ({"origin": "OSL", "destination": "FCO"}, [])


def check_an_answer_that_does_not_fit_is_asked_for_again(servicer: ScriptedServicer, address: str) -> None:
    servicer.slots = []
    for of in (
        tracker("purple", ("destination", "purple"), requested="destination"),
        tracker("purple", requested="destination", intent={"name": "nlu_fallback"}),
    ):
        slots, [said] = run(form(address), of)
        assert (slots, said["response"]) == ({"destination": None}, "utter_invalid_destination")
    slots, [said] = run(form(address), tracker("purple", ("origin", "purple"), requested="origin"))
    assert (slots, said["text"]) == ({"origin": None}, "I did not get that.")
    aside = tracker("what is the rate", requested="destination", intent={"name": "rate"})
    assert run(form(address), aside) == ({}, [])  # Rasa's rules answer it


def check_methods_of_the_project_see_the_resolved_value(servicer: ScriptedServicer, address: str) -> None:
    async def validate_destination(self: Any, value: str, *_: Any) -> dict[str, Any]:
        return {"destination": value.lower(), "note": "by method"}

    action = form(address, validate_destination=validate_destination)
    of = tracker("Paris", ("destination", "Paris"), requested="destination")
    assert run(action, of)[0] == {"destination": "paris", "note": "by method"}


def check_a_service_that_is_away_changes_nothing(servicer: ScriptedServicer, address: str) -> None:
    servicer.code = grpc.StatusCode.UNAVAILABLE
    of = tracker("Paris", ("destination", "Paris"), requested="destination")
    for _ in range(5):
        assert run(form(address), of) == ({"destination": "Paris"}, [])
    assert run(correcting(address), tracker("he go home")) == ({}, [])


def correcting(address: str) -> ActionCorrectGrammar:
    class Correcting(ActionCorrectGrammar):
        settings: Mapping[str, Any] = {"address": address, "skills": ["grammar"], "timeout": 20}

    return Correcting()


def check_a_correction_is_offered(servicer: ScriptedServicer, address: str) -> None:
    servicer.grammar = nlu_pb2.GrammarResult(is_grammatical=False, corrected_text="He goes home.")
    slots, [said] = run(correcting(address), tracker("he go home"))
    assert (slots, said["text"]) == ({"corrected_text": "He goes home."}, "Did you mean: He goes home.")
    servicer.grammar = nlu_pb2.GrammarResult(is_grammatical=True, corrected_text="He goes home.")
    assert run(correcting(address), tracker("He goes home.")) == ({}, [])


def check_a_close_call_is_asked_about(servicer: ScriptedServicer, address: str) -> None:
    ranking = [{"name": name} for name in ("nlu_fallback", "book_hotel", "pay", "greet")]
    close = tracker("hm", intent_ranking=ranking, softspoken={"outcome": "ambiguous"})
    _, [said] = run(ActionClarify(), close)
    assert said["buttons"] == [
        {"title": "book hotel", "payload": "/book_hotel"},
        {"title": "pay", "payload": "/pay"},
    ]
    clear = tracker("hm", intent_ranking=ranking, softspoken={"outcome": "out-of-scope"})
    _, [said] = run(ActionClarify(), clear)
    assert said["text"] == "Could you say that another way?"


def check_the_grpc_action_server_runs_it(servicer: ScriptedServicer, address: str) -> None:
    port = free_port()
    command = [sys.executable, "-m", "rasa_sdk", "--actions", "actions", "--grpc", "-p", str(port)]
    hotel = {"forms": {"hotel_form": {"required_slots": ["city"]}}}
    of = tracker("Paris", ("city", "Paris"), requested="city")
    call = {
        "next_action": "validate_hotel_form",
        "sender_id": "u",
        "tracker": {
            "sender_id": "u",
            "slots": of.slots,
            "latest_message": of.latest_message,
            "events": of.events,
        },
        "domain": hotel,
    }
    variables = os.environ | {"SOFTSPOKEN_ADDRESS": address}
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                webhook = action_webhook_pb2_grpc.ActionServiceStub(channel).Webhook
                request = ParseDict(call, action_webhook_pb2.WebhookRequest())
                response = webhook(request, timeout=SECONDS, wait_for_ready=True)
        finally:
            server.terminate()
    [event] = [MessageToDict(event) for event in response.events]
    assert (event["name"], event["value"]) == ("city", "PARIS"), event


if __name__ == "__main__":
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            servicer = ScriptedServicer()
            with serving(servicer) as address:
                check(servicer, address)
            sys.stdout.write(f"{name}\n")
