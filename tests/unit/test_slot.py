from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.errors import InputError
from skills.slot import SlotLabel, check_slot_name
from skills.utterance import Entity

NAME = st.text(st.characters(exclude_characters=":"), max_size=6)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("city", SlotLabel("city")),
        ("city:destination", SlotLabel("city", "destination")),
        ("city:destination:1", SlotLabel("city", "destination", "1")),
        ("city::1", SlotLabel("city", group="1")),
    ],
)
def test_a_label_is_written_as_it_is_read(text: str, label: SlotLabel) -> None:
    assert SlotLabel.parse(text) == label
    assert str(label) == text


@given(slot=NAME.filter(bool), role=NAME, group=NAME)
def test_any_label_survives(slot: str, role: str, group: str) -> None:
    label = SlotLabel(slot, role, group)
    assert SlotLabel.parse(str(label)) == label


@pytest.mark.parametrize("text", ["", ":destination", "city:destination:1:2"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not valid") as caught:
        SlotLabel.parse(text)
    assert caught.value.field == "slot"


def test_labels_are_ordered_by_slot_then_role_then_group() -> None:
    labels = [SlotLabel("city", "to"), SlotLabel("city"), SlotLabel("amount"), SlotLabel("city", "from", "2")]
    assert [str(each) for each in sorted(labels)] == ["amount", "city", "city:from:2", "city:to"]


def test_a_name_with_a_colon_is_refused_with_its_field() -> None:
    assert check_slot_name("city") == "city"
    with pytest.raises(InputError, match="role 'to:from' has a") as caught:
        check_slot_name("to:from", field="role")
    assert caught.value.field == "role"


def test_an_entity_knows_its_label() -> None:
    assert Entity("city", 0, 4, "Rome", role="destination").label == SlotLabel("city", "destination")
