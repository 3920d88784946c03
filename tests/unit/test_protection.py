from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.edits import Edit, apply_edits, edits_between
from skills.protection import keep_protected, protected_spans


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("i pay 1,000.50 or $12 at 7pm", ["1,000.50", "$12", "7pm"]),
        ("on the 3rd, 10:30 am. or 24/12/2025.", ["3rd", "10:30 am", "24/12/2025"]),
        ("at 7 p.m. i am there, 5 amazing 20% off", ["7 p.m.", "5", "20%"]),
        ("flight A380 and +44 20 7946-0958, no3.I", ["A380", "+44", "20", "7946-0958", "no3"]),
        ("see https://a.io/x?y=1, www.b.org.", ["https://a.io/x?y=1", "www.b.org"]),
        ("go to booking.com/deals. now", ["booking.com/deals"]),
        ("mail Jo.Do+x@mail.example.org!", ["Jo.Do+x@mail.example.org"]),
        ("thanks @anna_b and #travel", ["@anna_b", "#travel"]),
        ("it was nice.me too, in it.so no.", []),
        ("", []),
    ],
)
def test_what_is_protected(text: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in protected_spans(text)] == found


@pytest.mark.parametrize(
    ("text", "corrected", "kept"),
    [
        ("it cost 12 dollar", "It costs 13 dollars.", "It costs 12 dollars."),
        ("meet me at 7pm", "Meet me at 7 pm.", "Meet me at 7pm"),
        ("meet on 5", "Meet on the 5th.", "Meet on 5"),
        ("ask @bob now", "Ask @Bob now.", "Ask @bob now."),
        ("see booking.com", "See Booking.com.", "See booking.com."),
        ("to mail a@b.org", "To mail A@b.org", "To mail a@b.org"),
        ("it is 5 ,ok", "It is 5, ok.", "It is 5, ok."),
        ("i need 2 ticket", "I need two tickets.", "I need 2 tickets."),
    ],
)
def test_edits_of_what_is_protected_are_dropped(text: str, corrected: str, kept: str) -> None:
    edits = keep_protected(text, edits_between(text, corrected), protected_spans(text))
    assert apply_edits(text, edits) == kept


@pytest.mark.parametrize(
    ("edit", "stays"),
    [
        (Edit(3, 8, "Rome"), False),
        (Edit(3, 8, "Paris"), True),  # changes nothing
        (Edit(0, 8, "to Paris"), True),  # only what is before
        (Edit(8, 8, "ian"), False),
        (Edit(8, 8, "."), True),
        (Edit(3, 3, "x"), False),
        (Edit(3, 3, "the "), True),
        (Edit(2, 3, ""), False),  # inParis
        (Edit(5, 5, " "), False),
    ],
)
def test_other_spans_such_as_slot_values_are_protected_too(edit: Edit, stays: bool) -> None:
    assert bool(keep_protected("in Paris", [edit], [(3, 8)])) is stays


@given(st.text("ab1 .,@", max_size=12), st.text("aB1 .,@", max_size=12))
def test_what_is_protected_is_still_there(text: str, corrected: str) -> None:
    spans = protected_spans(text)
    kept = apply_edits(text, keep_protected(text, edits_between(text, corrected), spans))
    place = 0
    for start, end in spans:
        place = kept.index(text[start:end], place) + end - start
