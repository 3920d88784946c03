from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.errors import DataError
from skills.formats.entity_markup import strip_markup
from skills.formats.row import Place
from skills.utterance import Entity

PLACE = Place("nlu.yml", 7)

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), max_size=20)
VALUE = PLAIN.filter(str.strip)
SLOT = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)


def in_braces(slot: str, value: str) -> str:
    return json.dumps({"entity": slot, "value": value, "role": "r}"})


@settings(deadline=None)
@given(parts=st.lists(st.tuples(PLAIN, VALUE, SLOT, st.booleans()), max_size=5), end=PLAIN)
def test_offsets_address_the_marked_text(parts: list[tuple[str, str, str, bool]], end: str) -> None:
    raw = "".join(
        f"{before}[{marked}]" + (in_braces(slot, "}]") if braces else f"({slot})")
        for before, marked, slot, braces in parts
    )
    text, entities = strip_markup(raw + end, PLACE)
    assert text == "".join(before + marked for before, marked, _, _ in parts) + end
    assert [text[entity.start : entity.end] for entity in entities] == [part[1].strip() for part in parts]
    assert [entity.slot for entity in entities] == [part[2] for part in parts]
    for entity, (_, marked, _, braces) in zip(entities, parts, strict=True):
        assert (entity.value, entity.role) == (("}]", "r}") if braces else (marked.strip(), ""))


@settings(deadline=None)
@given(raw=st.text(st.sampled_from('[](){}":,ab \\'), max_size=40))
def test_any_text_is_read_or_refused(raw: str) -> None:
    try:
        text, entities = strip_markup(raw, PLACE)
    except DataError as error:
        assert error.row == PLACE.row
    else:
        assert all(text[entity.start : entity.end].strip() for entity in entities)
        assert len(text) <= len(raw)


@pytest.mark.parametrize(
    ("raw", "text", "entities"),
    [
        ("fly to [Denver](city)", "fly to Denver", [Entity("city", 7, 13, "Denver")]),
        ('[NYC]{"entity": "city", "value": "New York"}', "NYC", [Entity("city", 0, 3, "New York")]),
        (
            '[A]{"entity": "city", "role": "to", "group": "1"}b',
            "Ab",
            [Entity("city", 0, 1, "A", role="to", group="1")],
        ),
        ("[NYC](city:New York)", "NYC", [Entity("city", 0, 3, "New York")]),
        (
            '[six]{"entity": "n", "value": "6"} or [ eight ](n) 🙂',
            "six or  eight  🙂",
            [Entity("n", 0, 3, "6"), Entity("n", 8, 13, "eight")],
        ),
        (
            '[x][{"entity": "a"}, {"entity": "b"}]',
            "x",
            [Entity("a", 0, 1, "x"), Entity("b", 0, 1, "x")],
        ),
        ("as they said [sic] (really)", "as they said [sic] (really)", []),
        ("sad :[ or a ] alone", "sad :[ or a ] alone", []),
    ],
)
def test_known_markup(raw: str, text: str, entities: list[Entity]) -> None:
    assert strip_markup(raw, PLACE) == (text, tuple(entities))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("to [Denver(city)", "not balanced at '[Denver(city)' (character 4)"),
        ("to [Denver](city", "not balanced at '(city' (character 12)"),
        ("to Denver](city)", "not balanced at '](city)'"),
        ("a [b [c](city)", "not balanced at '[b '"),
        ("[a](x) then [Denver", "not balanced at '[Denver' (character 13)"),
        ("[Denver]()", "not balanced"),
        ('[Denver]{"entity": "city"', "not valid JSON"),
        ("[Denver]{entity: city}", "not valid JSON"),
        ('[Denver]{"entity": 5}', "are not strings"),
        ('[Denver][{"entity": "a"}, 1]', "are not strings"),
        ('[Denver]{"role": "to"}', "entity is missing"),
        ("[Denver]( )", "entity is blank"),
        ("[ ](city)", "marks no text"),
    ],
)
def test_broken_markup_is_refused_with_its_place(raw: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        strip_markup(raw, PLACE)
    assert said in str(caught.value)
    assert str(caught.value).startswith("nlu.yml:7: ")
