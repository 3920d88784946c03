"""What a tracker gives away; the attributes are those of Rasa's DialogueStateTracker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nlu.rasa.dialog import MAX_UTTERANCE, expected_slots, last_bot_text, session_of


def tracker(*events: tuple[str, str | None], requested: str | None = None, **mappings: Any) -> Any:
    slots = {name: SimpleNamespace(value=None, mappings=each) for name, each in mappings.items()}
    slots["requested_slot"] = SimpleNamespace(value=requested, mappings=[])
    return SimpleNamespace(
        sender_id="s1",
        events=[SimpleNamespace(type_name=kind, text=text) for kind, text in events],
        slots=slots,
    )


def test_the_last_thing_that_the_bot_said() -> None:
    assert session_of(tracker()) == "s1"
    assert last_bot_text(tracker()) == ""
    assert last_bot_text(tracker(("bot", "Hi"), ("bot", "Which city?"), ("bot", None), ("user", "what"))) == (
        "Which city?"
    )
    assert len(last_bot_text(tracker(("bot", "x" * 9999)))) == MAX_UTTERANCE


@pytest.mark.parametrize(
    ("requested", "expected"),
    [
        (None, ()),
        ("unknown", ("unknown",)),
        ("arrival", ("arrival", "date", "time")),
        ("note", ("note",)),
    ],
)
def test_a_requested_slot_stands_for_its_entities(requested: str | None, expected: tuple[str, ...]) -> None:
    arrival = [
        {"type": "from_entity", "entity": "date"},
        {"type": "from_entity", "entity": ["date", "time"], "role": "start"},
        {"type": "from_intent", "value": True},
    ]
    assert (
        expected_slots(tracker(requested=requested, arrival=arrival, note=[{"type": "from_text"}]))
        == expected
    )


def test_no_requested_slot_at_all() -> None:
    assert expected_slots(SimpleNamespace(slots={})) == ()
