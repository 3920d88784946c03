from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.errors import DataError
from skills.formats import read_slots
from skills.utterance import Entity

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
GOOD = {"text": "to Rome", "slots": [{"slot": "city", "start": 3, "end": 7, "value": "Rome"}]}


def slot(start: int, end: int, value: str, name: str = "city", **more: Any) -> dict[str, Any]:
    return {"slot": name, "start": start, "end": end, "value": value, **more}


def written(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_row_is_read_with_all_that_it_may_have(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "text": "  from NYC 🙂 to Rome ",
            "slots": [
                slot(16, 20, "Rome", role=" destination", group="1"),
                slot(7, 10, "NYC", resolved="New York City", role=None),
            ],
            "intent": " book ",
            "requested": ["city", "date"],
            "id": 7,
        },
        {"text": "hi", "slots": [], "intent": None, "expected_slots": ["date"]},
    )
    first, second = read_slots(path).utterances
    assert first.text == "from NYC 🙂 to Rome"
    assert first.entities == (
        Entity("city", 5, 8, "New York City"),
        Entity("city", 14, 18, "Rome", role="destination", group="1"),
    )
    assert [first.text[each.start : each.end] for each in first.entities] == ["NYC", "Rome"]
    assert (first.intent, first.expected_slots, first.row) == ("book", ("city", "date"), 1)
    assert (second.intent, second.entities, second.expected_slots, second.row) == ("", (), ("date",), 2)


@pytest.mark.parametrize(
    ("row", "field", "said"),
    [
        ({"text": "hi"}, "slots", "slots are missing: write ["),
        ({"slots": []}, "text", "text is missing"),
        ({"text": " ", "slots": []}, "text", "text is blank"),
        ({"text": "hi", "slots": {}}, "slots", "slots is an object: write ["),
        ({"text": "hi", "slots": ["city"]}, "slots", 'a slot is a string: write {"slot"'),
        ({"text": "hi", "slots": [{}]}, "slot", "slot is missing"),
        ({"text": "hi", "slots": [slot(0, 2, "hi", "a:b")]}, "slot", "'a:b' has a \":\""),
        ({"text": "hi", "slots": [slot(0, 2, "hi", role="a:b")]}, "role", "role 'a:b' has a"),
        ({"text": "hi", "slots": [slot(0, 2, "hi", group=1)]}, "group", "group of slot 'city' is a number"),
        (
            {"text": "hi", "slots": [slot(0, 2, "hi") | {"start": "0"}]},
            "start",
            "start of slot 'city' is a str",
        ),
        ({"text": "hi", "slots": [slot(0, 2, "hi") | {"end": True}]}, "end", "end of slot 'city' is a truth"),
        ({"text": "hi", "slots": [slot(0, 2, "hi") | {"end": 2.0}]}, "end", "end of slot 'city' is a number"),
        ({"text": "hi", "slots": [slot(0, 2, "hi") | {"value": 2}]}, "value", 'as "resolved"'),
        ({"text": "hi", "slots": [slot(0, 2, "hi", resolved="\ud800")]}, "value", "half a surrogate pair"),
        (
            {"text": "hi", "slots": [slot(0, 2, "hi") | {"value": None}]},
            "value",
            "value of slot 'city' is null",
        ),
        (
            {"text": "é to Rome", "slots": [slot(6, 10, "Rome")]},
            "slots",
            "slot 'city' marks 'ome' (6 to 10), but its value is 'Rome': that is from 5 to 9",
        ),
        (
            {"text": "a a", "slots": [slot(1, 2, "a")]},
            "slots",
            "marks ' ' (1 to 2), but its value is 'a': count",
        ),
        (
            {"text": "hi", "slots": [slot(-2, 2, "hi")]},
            "slots",
            "from -2 to 2, which is outside the text's 0 to 2",
        ),
        ({"text": "hi", "slots": [slot(1, 1, "")]}, "slots", "from 1 to 1, which is outside"),
        ({"text": "hi", "slots": [slot(0, 9, "hi")]}, "slots", "from 0 to 9, which is outside"),
        ({"text": "hi ", "slots": [slot(0, 3, "hi ")]}, "slots", "from 0 to 3, which is outside"),
        (
            {"text": "a b", "slots": [slot(1, 3, " b")]},
            "slots",
            "marks ' b', which begins or ends with white",
        ),
        (
            {
                "text": "at 8 tonight",
                "slots": [slot(3, 12, "8 tonight", "time"), slot(5, 12, "tonight", "date")],
            },
            "slots",
            "slots 'time' '8 tonight' (3 to 12) and 'date' 'tonight' (5 to 12) overlap",
        ),
        ({"text": "hi", "slots": [], "requested": "city"}, "requested", "requested is a string: write ["),
        ({"text": "hi", "slots": [], "requested": [5]}, "requested", "requested is a number"),
        ({"text": "hi", "slots": [], "requested": ["a:b"]}, "requested", "'a:b' has a"),
        (
            {"text": "hi", "slots": [], "requested": [], "expected_slots": []},
            "expected_slots",
            "requested and expected_slots, which mean the same",
        ),
        ({"text": "hi", "slots": [], "intent": 5}, "intent", "intent is a number"),
        ([], "", 'not a JSON object: write {"text": "…", "slots": ['),
    ],
)
def test_a_bad_row_names_its_place_and_can_be_skipped(
    tmp_path: Path, row: object, field: str, said: str
) -> None:
    path = written(tmp_path, GOOD, row, GOOD)
    with pytest.raises(DataError) as caught:
        read_slots(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert said in str(caught.value)
    assert (caught.value.file, caught.value.row, caught.value.field) == (str(path), 2, field)

    result = read_slots(path, skip_bad_rows=True)
    assert [each.row for each in result.utterances] == [1, 3]
    assert [str(error) for error in result.skipped] == [str(caught.value)]


def test_slots_side_by_side_do_not_overlap(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"text": "$5", "slots": [slot(1, 2, "5", "amount"), slot(0, 1, "$", "currency")]}
    )
    (row,) = read_slots(path).utterances
    assert [each.slot for each in row.entities] == ["currency", "amount"]


@settings(deadline=None)
@given(before=TEXT, value=TEXT.filter(lambda text: text == text.strip() != ""), after=TEXT)
def test_any_value_survives(before: str, value: str, after: str) -> None:
    text, start = before + value + after, len(before)
    with TemporaryDirectory() as folder:
        path = written(Path(folder), {"text": text, "slots": [slot(start, start + len(value), value)]})
        (row,) = read_slots(path).utterances
    (entity,) = row.entities
    assert row.text[entity.start : entity.end] == entity.value == value


VALUE = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 9), st.floats(), st.sampled_from(["", "a", "a:b", " b"])
    ),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(
    slots=st.lists(
        st.dictionaries(st.sampled_from(["slot", "start", "end", "value", "role"]), VALUE), max_size=2
    ),
    more=st.dictionaries(st.sampled_from(["text", "slots", "intent", "requested"]), VALUE, max_size=2),
)
def test_any_row_is_read_or_refused(slots: list[object], more: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), {"text": "a b", "slots": slots, **more})
        try:
            (row,) = read_slots(path).utterances
        except DataError as error:
            assert error.file == str(path)
        else:
            assert all(row.text[each.start : each.end].strip() for each in row.entities)
