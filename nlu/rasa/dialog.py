"""What Rasa's tracker knows of the conversation, as the service takes it."""

from __future__ import annotations

from typing import Any

REQUESTED_SLOT = "requested_slot"  # a form's question that is open
MAX_UTTERANCE = 2000  # characters, as of a user's text


def session_of(tracker: Any) -> str:
    """Return the conversation's id."""
    return tracker.sender_id or ""


def last_bot_text(tracker: Any) -> str:
    """Return what the bot said last, perhaps nothing."""
    said = (event.text for event in reversed(tracker.events) if event.type_name == "bot" and event.text)
    return next(said, "")[:MAX_UTTERANCE]


def expected_slots(tracker: Any) -> tuple[str, ...]:
    """Return our names of the slot that a form has just asked for: its own, and those of its entities."""
    requested = tracker.slots.get(REQUESTED_SLOT)
    if requested is None or requested.value is None:
        return ()
    names: list[str] = [requested.value]
    slot = tracker.slots.get(requested.value)
    for mapping in slot.mappings if slot else ():
        entity = mapping.get("entity")
        names += entity if isinstance(entity, list) else [entity] if entity else []
    return tuple(dict.fromkeys(names))
