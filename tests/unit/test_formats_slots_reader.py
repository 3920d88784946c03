from __future__ import annotations

import json
from pathlib import Path

import pytest

from skills.errors import DataError
from skills.formats import PhraseKind, read_slots
from skills.slot import SlotLabel

CONCIERGE = Path(__file__).parents[2] / "examples" / "concierge"
RASA = """nlu:
- intent: book
  examples: |
    - to [NYC]{"entity": "city", "role": "to", "value": "New York"}
    - to [Rome](city)
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "a.jsonl",
            '{"text": "to Rome", "slots": [{"slot": "city", "start": 3, "end": 7, "value": "Rome"}]}',
        ),
        (
            "a.NDJSON",
            '{"text": "to Rome", "slots": [{"slot": "city", "start": 3, "end": 7, "value": "Rome"}]}',
        ),
        ("a.conll", "to O\nRome B-city"),
        ("a.json", '{"book": [{"data": [{"text": "to "}, {"text": "Rome", "entity": "city"}]}]}'),
        ("a.yml", "nlu:\n- intent: book\n  examples: |\n    - to [Rome](city)"),
    ],
)
def test_the_suffix_chooses_the_reader(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    (row,) = read_slots(path).utterances
    assert row.text == "to Rome"
    assert [(str(each.label), each.start, each.end, each.value) for each in row.entities] == [
        ("city", 3, 7, "Rome")
    ]


def test_rasa_rows_keep_role_value_and_intent(tmp_path: Path) -> None:
    (tmp_path / "nlu.yml").write_text(RASA)
    first, second = read_slots(tmp_path).utterances
    assert (first.entities[0].label, first.entities[0].value) == (SlotLabel("city", "to"), "New York")
    assert (second.intent, second.row) == ("book", 5)


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        (
            '[Rome][{"entity": "a"}, {"entity": "b"}]',
            "slots 'a' 'Rome' (3 to 7) and 'b' 'Rome' (3 to 7) overlap",
        ),
        ("[Rome](city) and [Bonn", "not balanced"),
        ('[Rome]{"entity": "a:b"}', "'a:b' has a"),
        ('[Rome]{"entity": "a", "role": "b:c"}', "role 'b:c' has a"),
    ],
)
def test_a_bad_rasa_example_names_its_place_and_can_be_skipped(
    tmp_path: Path, marked: str, said: str
) -> None:
    path = tmp_path / "nlu.yml"
    path.write_text(f"{RASA}    - to {marked}\n")
    with pytest.raises(DataError) as caught:
        read_slots(path)
    assert str(caught.value).startswith(f"{path}:6: ")
    assert said in str(caught.value)
    assert len(read_slots(path, skip_bad_rows=True).utterances) == 2


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
def test_an_unknown_suffix_lists_the_known(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("hi")
    with pytest.raises(
        DataError, match=r"use one of \.jsonl, \.ndjson, \.conll, \.bio, \.iob, \.json, \.yml"
    ):
        read_slots(tmp_path / name)


@pytest.mark.parametrize(
    "rows", [[], [{"text": "hi", "slots": []}], [{"text": "hi"}, {"text": "a", "slots": []}]]
)
def test_a_file_without_any_slot_is_refused(tmp_path: Path, rows: list[object]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    with pytest.raises(DataError, match=r"none of [01] rows has a slot"):
        read_slots(path, skip_bad_rows=True)


def test_too_many_slots_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("\n\n".join(f"a B-city:{number}" for number in range(1001)))
    with pytest.raises(DataError, match="more than 1,000 slots, with roles and groups"):
        read_slots(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for name in ("a.jsonl", "a.conll", "a.json", "a.yml"):
        with pytest.raises(DataError, match="no such file"):
            read_slots(tmp_path / name)


def test_the_samples_are_read() -> None:
    rows = read_slots(CONCIERGE / "slots.jsonl").utterances
    assert len(rows) == 247
    assert sum(bool(row.expected_slots) for row in rows) >= 20
    assert SlotLabel("city", "destination") in {each.label for row in rows for each in row.entities}

    result = read_slots(CONCIERGE / "rasa")
    assert len(result.utterances) == 68
    assert {each.kind for each in result.phrases} == set(PhraseKind)
