"""Marlow's actions: `python -m rasa_sdk --actions actions` in this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from rasa_sdk import Action
from rasa_sdk.events import SlotSet

from nlu.rasa.actions import ActionClarify, ActionCorrectGrammar, SoftspokenFormValidationAction

TIMEOUT = 2.0  # s, as in config.yml


class Clarify(ActionClarify):
    """Asks between two intents in the words of a customer."""

    titles: Mapping[str, str] = {"talk_to_agent": "speak to a human", "dispute_charge": "a wrong charge"}


class CorrectGrammar(ActionCorrectGrammar):
    settings: Mapping[str, Any] = {"skills": ["marlow-grammar"], "timeout": TIMEOUT}


class _Form(SoftspokenFormValidationAction, ABC):
    """A form whose slots the skill fills, perhaps with a last question whether to go ahead."""

    settings: Mapping[str, Any] = {"skills": ["marlow-slots"], "min_confidence": 0.5, "timeout": TIMEOUT}

    def validate_confirmed(self, value: Any, dispatcher: Any, tracker: Any, domain: Any) -> dict[str, Any]:
        """Take "no, Saturday" as a correction of the day, and not as a no: it is asked again."""
        return {"confirmed": None if tracker.latest_message["entities"] else value}


class ValidateFlightForm(_Form):
    fills: Mapping[str, str] = {
        "origin": "city:origin",
        "destination": "city:destination",
        "departure": "date",
        "travellers": "passengers",
    }

    def name(self) -> str:
        return "validate_flight_form"


class ValidateHotelForm(_Form):
    fills: Mapping[str, str] = {"stay_in": "city", "arrival": "date"}

    def name(self) -> str:
        return "validate_hotel_form"


class ValidateTransferForm(_Form):
    fills: Mapping[str, str] = {"recipient": "person", "amount": "amount", "currency": "currency"}

    def name(self) -> str:
        return "validate_transfer_form"


class _Finish(Action, ABC):
    """Does what a form was for (here: says so), or drops it if it was given up, and forgets its slots."""

    @abstractmethod
    def name(self) -> str:
        """Return `action_finish_` and the form, as in `flight` of `flight_form`."""

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        form = self.name().removeprefix("action_finish_")
        slots = domain["forms"][f"{form}_form"]["required_slots"]
        agreed = all(tracker.get_slot(slot) for slot in slots)  # `confirmed` is one of them
        dispatcher.utter_message(response=f"utter_{form}" if agreed else "utter_dropped")
        return [SlotSet(slot) for slot in slots]


class FinishFlight(_Finish):
    def name(self) -> str:
        return "action_finish_flight"


class FinishHotel(_Finish):
    def name(self) -> str:
        return "action_finish_hotel"


class FinishTransfer(_Finish):
    def name(self) -> str:
        return "action_finish_transfer"


class FinishAgent(_Finish):
    def name(self) -> str:
        return "action_finish_agent"
