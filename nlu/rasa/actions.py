"""Custom actions for rasa-sdk's action server: a form's slots, corrected sentences, close calls.

Import them in the project's actions.py; the server registers them by their names. Each knows the service by
`settings`, the keys of the component in config.yml. A service that does not answer spoils no dialogue: slots
stay as Rasa has filled them, and nothing is corrected.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Mapping

from rasa_sdk import Action, FormValidationAction, utils
from rasa_sdk.events import SlotSet

from nlu.client_types import ParseRequest, ParseResult, Slot
from nlu.rasa.answer import FALLBACK_INTENT
from nlu.rasa.config import read_config
from nlu.rasa.dialog import MAX_UTTERANCE, REQUESTED_SLOT
from nlu.rasa.service import service_of

NOT_UNDERSTOOD = "I did not get that."
REPHRASE = "Could you say that another way?"
CORRECTED_SLOT = "corrected_text"
CHOICES = 2  # of a close call


class _Asks:
    """Knows the service.

    Raises:
        ConfigError: `settings` do not fit; the action server does not start.
    """

    settings: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self._config = read_config(self.settings)

    async def _ask(self, tracker: Any, expected: tuple[str, ...] = ()) -> ParseResult | None:
        """Return what the user's last message means, None if there is no answer; other users do not wait."""
        request = ParseRequest(
            text=tracker.latest_message.get("text") or "",
            skills=self._config.skills,
            min_confidence=self._config.min_confidence,
            correct_grammar=self._config.correct_grammar,
            session_id=tracker.sender_id,
            previous_system_utterance=_last_bot_text(tracker),
            expected_slots=expected,
        )
        if not request.text or request.text.startswith("/"):
            return None
        loop = asyncio.get_running_loop()
        [answer] = await loop.run_in_executor(None, service_of(self._config).parse, [request])
        return answer if isinstance(answer, ParseResult) else None


class SoftspokenFormValidationAction(_Asks, FormValidationAction, ABC):
    """Fills and checks a form's slots: several from one answer, each with its resolved value.

    fills: a slot of the form -> our slot, as `city`, or `city:origin` for one with that role. An answer that
    does not fit is asked for again, after the response `utter_invalid_SLOT` of the domain. A method
    `validate_SLOT`, as rasa-sdk has it, gets the resolved value.
    """

    fills: Mapping[str, str] = {}

    @abstractmethod
    def name(self) -> str:
        """Return `validate_` and the name of the form."""

    async def get_validation_events(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        """Return what the slots of the form are after this message."""
        requested = tracker.get_slot(REQUESTED_SLOT)
        wanted = self.fills.get(requested)
        answer = await self._ask(tracker, (_split(wanted)[0],) if wanted else ())
        slots = tracker.slots_to_validate()
        if answer is not None:
            found = self._found([slot for each in answer.results for slot in each.slots], requested)
            slots.update({slot: found.get(slot) for slot in self.fills if slot in slots or slot in found})
            if wanted and requested not in found and _is_an_answer(requested, slots, tracker):
                slots[requested] = None
                _utter(dispatcher, domain, f"utter_invalid_{requested}", NOT_UNDERSTOOD)
        required = await self.required_slots(self.domain_slots(domain), dispatcher, tracker, domain)
        slots = {slot: value for slot, value in slots.items() if slot in required}
        await self._validate(slots, dispatcher, tracker, domain)
        return [SlotSet(slot, value) for slot, value in slots.items()]

    async def _validate(self, slots: dict[str, Any], dispatcher: Any, tracker: Any, domain: Any) -> None:
        """Let the methods `validate_SLOT` change `slots`; each sees what those before it have said."""
        for slot in list(slots):
            validate = getattr(self, f"validate_{slot.replace('-', '_')}", None)
            if validate is not None and slots[slot] is not None:
                tracker.slots.update(slots)
                said = validate(slots[slot], dispatcher, tracker, domain)
                slots.update(await utils.call_potential_coroutine(said))

    def _found(self, slots: list[Slot], requested: str) -> dict[str, str]:
        """Return the form's slots that the message fills.

        A bare answer has no role of its own: whatever its role, it fills the slot that was asked for.
        """
        found = {}
        for target in sorted(self.fills, key=lambda target: target != requested):
            name, role = _split(self.fills[target])
            alike = [slot for slot in slots if slot.name == name]
            fitting = [slot for slot in alike if role in ("", slot.role)]
            if target == requested and len(alike) == 1:
                fitting, slots = alike, [slot for slot in slots if slot is not alike[0]]
            if fitting:
                found[target] = max(fitting, key=lambda slot: slot.confidence).value
        return found


class ActionCorrectGrammar(_Asks, Action):
    """Offers the corrected sentence: by the response `utter_correction`, which may name `corrected_text`.

    A slot `corrected_text` of the domain gets it, too. A message that is right, or has no answer, passes.
    """

    settings: Mapping[str, Any] = {"skills": ["grammar"]}

    def name(self) -> str:
        return "action_correct_grammar"

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        answer = await self._ask(tracker)
        grammars = [each.grammar for each in answer.results if each.grammar] if answer else []
        corrected = next((each.corrected_text for each in grammars if not each.is_grammatical), None)
        if corrected is None:
            return []
        text = f"Did you mean: {corrected}"
        _utter(dispatcher, domain, "utter_correction", text, corrected_text=corrected)
        return [SlotSet(CORRECTED_SLOT, corrected)] if CORRECTED_SLOT in domain.get("slots", {}) else []


class ActionClarify(Action):
    """Asks between the two best intents if the message was a close call, else to say it another way.

    titles: what a button says of an intent; its name in words if it is not there.
    """

    titles: Mapping[str, str] = {}

    def name(self) -> str:
        return "action_clarify"

    async def run(self, dispatcher: Any, tracker: Any, domain: Any) -> list[Any]:
        message = tracker.latest_message
        names = [
            each["name"] for each in message.get("intent_ranking", []) if each["name"] != FALLBACK_INTENT
        ]
        if message.get("softspoken", {}).get("outcome") != "ambiguous" or len(names) < CHOICES:
            _utter(dispatcher, domain, "utter_rephrase", REPHRASE)
            return []
        buttons = [
            {"title": self.titles.get(name, name.replace("_", " ")), "payload": f"/{name}"}
            for name in names[:CHOICES]
        ]
        _utter(dispatcher, domain, "utter_clarify", "Which of these do you mean?", buttons=buttons)
        return []


def _split(wanted: str) -> tuple[str, str]:
    name, _, role = wanted.partition(":")
    return name, role


def _is_an_answer(requested: str, slots: Mapping[str, Any], tracker: Any) -> bool:
    """Whether the message was meant to answer the form; if not, Rasa's rules say what becomes of it."""
    return requested in slots or tracker.latest_message.get("intent", {}).get("name") == FALLBACK_INTENT


def _last_bot_text(tracker: Any) -> str:
    said = (
        event["text"] for event in reversed(tracker.events) if event["event"] == "bot" and event.get("text")
    )
    return next(said, "")[:MAX_UTTERANCE]


def _utter(dispatcher: Any, domain: Any, response: str, text: str, **values: Any) -> None:
    """Utter a response if the domain has it, else the text."""
    if response in domain.get("responses", {}):
        dispatcher.utter_message(response=response, **values)
    else:
        dispatcher.utter_message(text=text, **values)
