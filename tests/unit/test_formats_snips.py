from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.errors import DataError
from skills.formats import PhraseKind, PhraseList, read_slots
from skills.utterance import Entity

ROME = {"data": [{"text": "to "}, {"text": "Rome", "entity": "city"}]}


def written(folder: Path, content: object) -> Path:
    path = folder / "snips.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_benchmark_file_is_read(tmp_path: Path) -> None:
    pieces = [{"text": " 🙂 in "}, {"text": "New York ", "entity": "city"}, {"text": "5", "entity": "rating"}]
    path = written(tmp_path, {"Weather": [ROME], "Rate": [{"data": pieces}, ROME]})
    first, second, third = read_slots(path).utterances
    assert (first.text, first.intent, first.place) == ("to Rome", "Weather", f"{path}#Weather:1")
    assert (second.text, second.intent, second.place) == ("🙂 in New York 5", "Rate", f"{path}#Rate:1")
    assert second.entities == (Entity("city", 5, 13, "New York"), Entity("rating", 14, 15, "5"))
    assert third.place == f"{path}#Rate:2"


def test_a_data_set_is_read_with_its_values_and_synonyms(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "language": "en",
        "intents": {
            "book": {
                "utterances": [
                    {
                        "data": [
                            {"text": "NYC", "entity": "place", "slot_name": "origin"},
                            {"text": " to "},
                            {"text": "Rome", "entity": "place", "slot_name": "destination"},
                            {"text": " at "},
                            {"text": "8", "entity": "snips/datetime", "slot_name": "when"},
                        ]
                    }
                ]
            }
        },
        "entities": {
            "place": {
                "data": [
                    {"value": "New York", "synonyms": ["NYC", "big apple"]},
                    {"value": "Rome", "synonyms": []},
                ],
                "use_synonyms": True,
                "automatically_extensible": True,
            },
            "colour": {"data": [{"value": "red", "synonyms": ["crimson"]}], "use_synonyms": False},
            "snips/datetime": {},
        },
    }
    result = read_slots(written(tmp_path, document))
    (row,) = result.utterances
    assert (row.text, row.intent) == ("NYC to Rome at 8", "book")
    assert [each.slot for each in row.entities] == ["origin", "destination", "when"]
    assert result.phrases == (
        PhraseList(PhraseKind.SYNONYM, "New York", ("NYC", "big apple")),
        PhraseList(PhraseKind.LOOKUP, "destination", ("New York", "Rome")),
        PhraseList(PhraseKind.LOOKUP, "origin", ("New York", "Rome")),
        PhraseList(PhraseKind.LOOKUP, "colour", ("red",)),
    )


@pytest.mark.parametrize(
    ("utterance", "said"),
    [
        (5, "utterance is a number, not an object: write {"),
        ({"data": "hi"}, "data is a string, not a list"),
        ({"data": ["hi"]}, "data is a string, not an object"),
        ({"data": [{"entity": "city"}]}, "text of a piece is null"),
        ({"data": [{"text": " ", "entity": "city"}]}, "slot 'city' marks no text"),
        ({"data": [{"text": "a", "entity": "a:b"}]}, "'a:b' has a"),
        ({"data": [{"text": "a", "entity": 5}]}, "entity is a number"),
        ({"data": []}, "text is blank"),
    ],
)
def test_a_bad_utterance_names_its_place_and_can_be_skipped(
    tmp_path: Path, utterance: object, said: str
) -> None:
    path = written(tmp_path, {"book": [ROME, utterance, ROME]})
    with pytest.raises(DataError) as caught:
        read_slots(path)
    assert str(caught.value).startswith(f"{path}#book:2: ")
    assert said in str(caught.value)
    result = read_slots(path, skip_bad_rows=True)
    assert [row.row for row in result.utterances] == [1, 3]
    assert len(result.skipped) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "snips.json:1: not valid JSON"),
        ("[" * 100_000, "not Snips data"),
        ("[]", "the file is a list"),
        ({"book": {}}, "#book: utterances is null, not a list"),
        ({" ": []}, "intent is blank"),
        ({"intents": {"book": [ROME]}, "entities": []}, "entities is a list, not an object"),
        ({"intents": {"book": [ROME]}, "entities": {"city": 5}}, "#city: entity is a number"),
        ({"intents": {"book": [ROME]}, "entities": {"city": {"data": [{}]}}}, "#city:1: value is missing"),
        ({}, "none of 0 rows has a slot"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read_slots(written(tmp_path, content))
    assert said in str(caught.value)


KEYS = ["intents", "entities", "utterances", "data", "text", "entity", "value", "synonyms", "a"]
JSON = st.recursive(
    st.one_of(st.none(), st.integers(), st.sampled_from(["", " ", "a", "a:b"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_read_or_refused(content: object) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), json.dumps(content))
        try:
            read_slots(path)
        except DataError as error:
            assert error.file.startswith(str(path))
