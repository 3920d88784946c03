"""The actions of the test assistant: `python -m rasa_sdk --actions actions`."""

from collections.abc import Mapping
from typing import Any

from nlu.rasa.actions import ActionClarify, ActionCorrectGrammar, SoftspokenFormValidationAction

__all__ = ["ActionClarify", "ActionCorrectGrammar", "ValidateHotelForm"]


class ValidateHotelForm(SoftspokenFormValidationAction):
    """Where, and from which day."""

    settings: Mapping[str, Any] = {"skills": ["concierge"], "timeout": 5}
    fills: Mapping[str, str] = {"city": "city", "arrival": "date"}

    def name(self) -> str:
        return "validate_hotel_form"
