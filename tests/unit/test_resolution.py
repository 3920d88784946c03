from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.errors import DataError, InputError
from skills.formats import PhraseKind, PhraseList, read_slots
from skills.resolution import (
    Resolver,
    SlotType,
    ValueKind,
    read_schema,
    read_schema_document,
    schema_document,
    schema_from_data,
    unused_phrases,
)
from skills.utterance import Entity, Utterance

NOW = datetime(2026, 11, 21, 11, 18)
CITIES = {"New York": ("NYC", "the big apple"), "Zürich": (), "São Paulo": ("Sampa",)}
SCHEMA = {
    "city": SlotType(ValueKind.LIST, CITIES),
    "flight": SlotType(patterns=(r"\b[A-Z][A-Z0-9] ?[0-9]{2,4}\b",)),
    "date": SlotType(ValueKind.DATE, {"2026-12-25": ("Christmas", "xmas")}),
    "people": SlotType(ValueKind.NUMBER, patterns=(r"(?<=party of )\w+",)),
    "time": SlotType(ValueKind.TIME),
    "when": SlotType(ValueKind.DATETIME),
    "sum": SlotType(ValueKind.AMOUNT),
    "stay": SlotType(ValueKind.DURATION),
}


@pytest.fixture(scope="module")
def resolver() -> Resolver:
    return Resolver(SCHEMA)


@pytest.mark.parametrize(
    ("slot", "raw", "value"),
    [
        ("city", "nyc", "New York"),
        ("city", "The  Big Apple", "New York"),
        ("city", "zurich", "Zürich"),
        ("city", "N.Y.C.", "New York"),
        ("city", "sao paulo", "São Paulo"),
        ("city", "Bonn", "Bonn"),
        ("flight", "flight LH 2031, please", "LH 2031"),
        ("flight", "lh2031", "lh2031"),
        ("flight", "the early one", "the early one"),
        ("date", "tomorrow", "2026-11-22"),
        ("date", "XMAS", "2026-12-25"),
        ("date", "some day", "some day"),
        ("people", "a party of six with two dogs", "6"),
        ("people", "for 4", "4"),
        ("time", "half past six", "06:30"),
        ("when", "tomorrow at 7pm", "2026-11-22T19:00"),
        ("sum", "twenty euros", "20.00 EUR"),
        ("stay", "two and a half hours", "PT2H30M"),
        ("unknown", "tomorrow", "tomorrow"),
    ],
)
def test_a_value_is_resolved_or_stays_raw(resolver: Resolver, slot: str, raw: str, value: str) -> None:
    assert resolver.resolve(slot, raw, now=NOW) == value


WORDS = [
    "half",
    "past",
    "a",
    "quarter",
    "to",
    "99",
    "0",
    "1/0",
    "pm",
    "friday",
    "the",
    "31st",
    "of",
    "feb",
    "-",
    "€",
]
WORDS += [
    "in",
    "9" * 40,
    "weeks",
    "million",
    "billion",
    "9999",
    "10000",
    "years",
    "ago",
    "²",
    "٣",
    "🙂",
    "next",
    "{}",
]
TEXT = st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
TIMES = st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))


@given(raw=TEXT, slot=st.sampled_from(sorted(SCHEMA)), now=st.one_of(st.just(NOW), TIMES))
def test_anything_is_resolved_or_stays_raw(resolver: Resolver, raw: str, slot: str, now: datetime) -> None:
    assert resolver.resolve(slot, raw, now=now) or not raw


def test_a_long_text_is_not_read(resolver: Resolver) -> None:
    long = "in " + "1 day and " * 200 + "1 hour"
    assert resolver.resolve("date", long, now=NOW) == long


def test_a_pattern_that_takes_too_long_finds_nothing() -> None:
    evil = Resolver({"a": SlotType(patterns=(r"(?:a|a)+b",)), "b": SlotType(patterns=(r"(x+x+)+y", "x"))})
    assert evil.resolve("a", "a" * 2000, now=NOW) == "a" * 2000
    assert evil.resolve("b", "x" * 40, now=NOW) == "x"


def test_the_libraries_are_loaded_with_the_first_schema_that_needs_them() -> None:
    program = (
        "import sys; import skills.resolution as r\n"
        "r.Resolver({'a': r.SlotType(patterns=('x',))})\n"
        "names = {'dateparser', 'babel', 'text_to_num', 'price_parser', 'isodate'}\n"
        "assert names.isdisjoint(sys.modules), names & set(sys.modules)\n"
        "r.Resolver({'a': r.SlotType(r.ValueKind.DATE)})\n"
        "assert 'dateparser' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize(
    ("wrong", "field", "said"),
    [
        ({"kind": ValueKind.LIST}, "values", "kind list has no values"),
        ({"values": {"a": ("b",), "c": ("B ",)}}, "values", "'B ' means 'a' and 'c'"),
        ({"values": {"a": (" ",)}}, "values", "synonym of 'a' is blank"),
        ({"patterns": ("(",)}, "patterns", "pattern '(' is not a regular expression"),
        ({"patterns": ("a" * 1001,)}, "patterns", "1,001 characters"),
    ],
)
def test_a_type_that_cannot_be_is_refused(wrong: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        SlotType(**wrong)
    assert said in str(caught.value)
    assert caught.value.field == field


def test_a_schema_survives_as_a_document() -> None:
    document = json.loads(json.dumps(schema_document(SCHEMA)))
    assert read_schema_document(document) == SCHEMA


def test_a_schema_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "types.toml"
    path.write_text(
        """
        [departure]
        kind = "date"
        [city]
        kind = "list"
        values = { "New York" = ["NYC"], Rome = [] }
        [colour]
        values = ["red", "blue"]
        [flight_number]
        patterns = ['[A-Z]{2} ?[0-9]{2,4}']
        """
    )
    assert read_schema(path) == {
        "departure": SlotType(ValueKind.DATE),
        "city": SlotType(ValueKind.LIST, {"New York": ("NYC",), "Rome": ()}),
        "colour": SlotType(values={"red": (), "blue": ()}),
        "flight_number": SlotType(patterns=("[A-Z]{2} ?[0-9]{2,4}",)),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[city", "not valid TOML"),
        ("city = 5", "slot type 'city': is not a table"),
        ('["a:b"]', "slot type 'a:b': slot 'a:b' has a"),
        ('[city]\nkind = "place"', "slot type 'city': kind is 'place', known are text, list, number"),
        ("[city]\nkind = []", "kind is []"),
        ("[city]\nvalue = 1", "has the key 'value', known are kind, values, patterns"),
        ("[city]\nvalues = [1]", "values are not a list of strings"),
        ('[city]\nvalues = { a = "b" }', "synonyms of 'a' are not a list of strings"),
        ('[city]\npatterns = ["("]', "slot type 'city': pattern '(' is not a regular expression"),
        ("[city]\npatterns = 'x'", "patterns are not a list of strings"),
    ],
)
def test_a_broken_file_of_types_is_refused_with_its_slot(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "types.toml"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_schema(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_a_missing_file_of_types_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_schema(tmp_path / "types.toml")


def row(text: str, **marked: str | tuple[str, str]) -> Utterance:
    """Make a row whose slots are marked as `slot="text"` or `slot=("text", "value")`."""
    entities = []
    for slot, found in marked.items():
        said, value = (found, found) if isinstance(found, str) else found
        entities.append(Entity(slot, text.index(said), text.index(said) + len(said), value))
    return Utterance(text, "", entities=tuple(entities))


def test_a_schema_learns_from_the_data() -> None:
    rows = [
        row("to NYC today", city=("NYC", "New York"), date=("today", "2018-05-01")),
        row("to NYC", city=("NYC", "Newark")),
        row("to NYC", city=("NYC", "New York")),
        row("red LH 2031", colour="red", flight="LH 2031"),
    ]
    phrases = [
        PhraseList(PhraseKind.LOOKUP, "city", ("Rome", "new york")),
        PhraseList(PhraseKind.LOOKUP, "hotel", ("Ritz",)),
        PhraseList(PhraseKind.SYNONYM, "New York", ("big apple", "Rome")),
        PhraseList(PhraseKind.SYNONYM, "scarlet", ("Red",)),
        PhraseList(PhraseKind.SYNONYM, "savings account", ("savings",)),
        PhraseList(PhraseKind.REGEX, "flight", (r"[A-Z]{2} \d+",)),
        PhraseList(PhraseKind.REGEX, "greeting", ("hi",)),
    ]
    assert schema_from_data(rows, phrases, {"date": SlotType(ValueKind.DATE)}) == {
        "city": SlotType(values={"Rome": (), "new york": ("big apple", "NYC"), "Newark": ()}),
        "colour": SlotType(values={"scarlet": ("Red",)}),
        "date": SlotType(ValueKind.DATE),
        "flight": SlotType(patterns=(r"[A-Z]{2} \d+",)),
    }
    assert unused_phrases(rows, phrases, {}) == [phrases[1], phrases[4], phrases[6]]


def test_what_is_given_comes_before_what_the_data_says() -> None:
    given_type = SlotType(ValueKind.LIST, {"Newark": ("NYC",)}, patterns=("x",))
    rows = [row("to NYC", city=("NYC", "New York"))]
    phrases = [PhraseList(PhraseKind.REGEX, "city", ("y", "x"))]
    assert schema_from_data(rows, phrases, {"city": given_type}) == {
        "city": SlotType(ValueKind.LIST, {"Newark": ("NYC",), "New York": ()}, patterns=("x", "y"))
    }


def test_types_of_slots_that_no_row_has_and_broken_regexes_are_refused() -> None:
    rows = [row("to Rome", city="Rome")]
    with pytest.raises(InputError, match="slot types name 'town', which no row has: known are city"):
        schema_from_data(rows, [], {"town": SlotType()})
    with pytest.raises(InputError, match="not a regular expression"):
        schema_from_data(rows, [PhraseList(PhraseKind.REGEX, "city", ("(",))], {})


def test_the_rasa_sample_resolves_its_synonyms() -> None:
    read = read_slots(Path(__file__).parents[2] / "examples" / "concierge" / "rasa")
    resolver = Resolver(schema_from_data(read.utterances, read.phrases, {}))
    assert resolver.resolve("city", "lisbon", now=NOW) == "Lisbon"
    assert resolver.resolve("currency", "quid", now=NOW) == "GBP"
