from __future__ import annotations

from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from skills.edits import Edit, apply_edits, edits_between, map_span_back

# Words that recur, white space of every kind, marks, and clusters of several code points.
PIECES = "he|go|goes|a| |  |\n|\r\n|.|,|'|’|1,000.50|don't|e\u0301|\u0301|👩\u200d💻|🇩🇪|\u200d|क्षि|?!|É"
TEXTS = st.text() | st.lists(st.sampled_from(PIECES.split("|"))).map("".join)


def shown(text: str, corrected: str) -> list[tuple[str, str]]:
    return [(text[each.start : each.end], each.replacement) for each in edits_between(text, corrected)]


@pytest.mark.parametrize(
    ("text", "corrected", "expected"),
    [
        ("", "", []),
        ("She goes.", "She goes.", []),
        ("", "Yes.", [("", "Yes.")]),
        ("Yes.", "", [("Yes.", "")]),
        ("he go home", "He goes home.", [("he", "He"), ("go", "goes"), ("", ".")]),
        ("I want room", "I want a room", [("", "a ")]),
        ("I want a an room", "I want a room", [("an ", "")]),
        ("I did went home", "I went home", [("did ", "")]),
        ("I have see it", "I saw it", [("have see", "saw")]),
        ("dont worry", "Don't worry", [("dont", "Don't")]),
        ("its 1,000.50 dollar", "it's 1,000.50 dollars", [("its", "it's"), ("dollar", "dollars")]),
        ("alot of it", "a lot of it", [("alot", "a lot")]),
        ("well I know", "well, I know", [("", ",")]),
        ("yes,please", "yes, please", [("", " ")]),
        ("hip hop", "hip-hop", [(" ", "-")]),
        ("Where I can find it?", "Where can I find it?", [("I can", "can I")]),
        ("I like apple", "I like the apples", [("apple", "the apples")]),
        ("cafe\u0301 here", "cafe here", [("cafe\u0301", "cafe")]),
        ("I am 👩\u200d💻 now", "I am 👩 now", [("👩\u200d💻", "👩")]),
    ],
)
def test_edits_are_readable_words(text: str, corrected: str, expected: list[tuple[str, str]]) -> None:
    assert shown(text, corrected) == expected
    assert apply_edits(text, edits_between(text, corrected)) == corrected


@given(TEXTS, TEXTS)
def test_edits_turn_any_text_into_any_other_and_are_in_order(text: str, corrected: str) -> None:
    edits = edits_between(text, corrected)
    assert apply_edits(text, edits) == corrected
    assert all(edit.start <= edit.end for edit in edits)
    assert all(before.end <= after.start for before, after in pairwise(edits))
    assert all(text[edit.start : edit.end] != edit.replacement for edit in edits)


@given(TEXTS, TEXTS)
def test_edits_never_cut_what_is_one_character_to_a_reader(text: str, corrected: str) -> None:
    edges = {0, *(match.end() for match in regex.finditer(r"\X", text))}
    edits = edits_between(text, corrected)
    assert {each for edit in edits for each in (edit.start, edit.end)} <= edges


@pytest.mark.parametrize(
    ("text", "corrected", "span", "original"),
    [
        ("i want room in paris", "I want a room in Paris.", "Paris", "paris"),
        ("i want room in paris", "I want a room in Paris.", "Paris.", "paris"),
        ("i want room in paris", "I want a room in Paris.", "room", "room"),
        ("i want room in paris", "I want a room in Paris.", "a room", "room"),
        ("go home", "Please go home", "Please", ""),
        ("i want room in paris", "I want a room in Paris.", "ari", "paris"),
        ("at at the the Ritz now", "at the Ritz now", "the Ritz", "the Ritz"),
        ("to New the York", "to New York", "New York", "New the York"),
        ("to New the York", "to New York", "York", "York"),
        ("Where I can go?", "Where can I go?", "can", "I can"),
    ],
)
def test_a_span_is_mapped_to_what_it_was(text: str, corrected: str, span: str, original: str) -> None:
    start = corrected.index(span)
    first, last = map_span_back(edits_between(text, corrected), start, start + len(span))
    assert text[first:last] == original


@given(TEXTS, TEXTS, st.integers(0, 50), st.integers(0, 50))
def test_spans_are_mapped_into_the_text_and_their_order_stays(
    text: str, corrected: str, start: int, length: int
) -> None:
    start = min(start, len(corrected))
    end = min(start + length, len(corrected))
    edits = edits_between(text, corrected)
    first, last = map_span_back(edits, start, end)
    assert 0 <= first <= last <= len(text)
    assert map_span_back((), start, end) == (start, end)
    assert map_span_back([Edit(0, len(text), corrected)], 0, len(corrected)) == (0, len(text))
