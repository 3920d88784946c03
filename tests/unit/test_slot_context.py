from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from skills.slot import SlotLabel
from skills.utterance import Entity, Utterance
from training.config import SlotConfig
from training.example import Example
from training.slot_context import ContextDraw, bare_answers, learns_contexts

LABELS = (SlotLabel("city"), SlotLabel("city", "origin"), SlotLabel("date"), SlotLabel("seat", "window"))
SLOT_OF = (0, 0, 1, 2)
WITH_DATE = Example(0, first=(0, 1), tags=(0, 5))  # a word outside, and one that is a date
EXPECTED = Example(0, first=(0, 1), tags=(0, 5), expected=(2,))


def row(text: str, *entities: Entity, expected: tuple[str, ...] = ()) -> Utterance:
    return Utterance(text, "", entities=entities, expected_slots=expected)


def entity(slot: str, start: int, end: int, role: str = "") -> Entity:
    return Entity(slot, start, end, "resolved", role)


def drawn(example: Example, names: int = 3, times: int = 400, **settings: object) -> Counter[tuple[int, ...]]:
    draw, generator = ContextDraw(names, SLOT_OF, SlotConfig.make(**settings)), np.random.default_rng(0)
    return Counter(draw(example, generator).expected for _ in range(times))


def test_a_question_of_the_data_is_there_as_often_as_asked() -> None:
    found = drawn(EXPECTED, context_share=0.6)
    assert found.keys() == {(), (2,)}
    assert found[(2,)] / 400 == pytest.approx(0.6, abs=0.08)


def test_invented_questions_ask_for_what_is_there_and_seldom_for_something_else() -> None:
    found = drawn(WITH_DATE, invented_share=0.5, misleading_share=0.2)
    assert found.keys() == {(), (1,), (0,), (2,)}
    assert found[()] / 400 == pytest.approx(0.5, abs=0.08)
    assert (found[(0,)] + found[(2,)]) / (400 - found[()]) == pytest.approx(0.2, abs=0.08)


@pytest.mark.parametrize(
    ("example", "names", "settings"),
    [
        (WITH_DATE, 3, {"invented_share": 0}),
        (WITH_DATE, 0, {"invented_share": 1}),
        (WITH_DATE, 3, {"invented_share": 1, "misleading_share": 0}),
        (Example(0, first=(0,), tags=(0,)), 3, {"invented_share": 1, "misleading_share": 0}),
        (EXPECTED, 3, {"context_share": 1}),
        (EXPECTED, 3, {"context_share": 0}),
        (Example(0, first=(0,), tags=(5,), expected=(1,), bare=True), 3, {"context_share": 0}),
    ],
)
def test_what_is_certain(example: Example, names: int, settings: dict[str, Any]) -> None:
    [(expected, _)] = drawn(example, names, **settings).items()
    if settings == {"invented_share": 1, "misleading_share": 0} and 5 in example.tags:
        assert expected == (1,)
    elif example is EXPECTED and settings == {"context_share": 0}:
        assert expected == ()
    else:
        assert expected == example.expected


def test_the_seed_decides() -> None:
    draw = ContextDraw(3, SLOT_OF, SlotConfig.make(invented_share=0.5))
    first, again = (np.random.default_rng(1) for _ in range(2))
    assert [draw(WITH_DATE, first) for _ in range(20)] == [draw(WITH_DATE, again) for _ in range(20)]


def test_bare_answers_are_values_as_they_were_said() -> None:
    rows = [row("to Oslo on Friday", entity("city", 3, 7), entity("date", 11, 17)), row("hi")]
    assert bare_answers(rows, LABELS, SlotConfig.make(bare_share=1)) == [
        Utterance("Friday", "", entities=(Entity("date", 0, 6, "Friday"),), expected_slots=("date",)),
        Utterance("Oslo", "", entities=(Entity("city", 0, 4, "Oslo"),), expected_slots=("city",)),
    ]


def test_a_bare_value_has_a_role_only_if_there_is_no_other() -> None:
    rows = [row("from Oslo, window", entity("city", 5, 9, "origin"), entity("seat", 11, 17, "window"))]
    [answer] = bare_answers(rows, LABELS, SlotConfig.make(bare_share=1))
    assert answer.entities == (Entity("seat", 0, 6, "window", "window"),)


def test_bare_answers_are_a_share_of_the_rows() -> None:
    rows = [row(f"on day{i}", entity("date", 3, len(f"on day{i}"))) for i in range(40)]
    first = bare_answers(rows, LABELS, SlotConfig.make(bare_share=0.1))
    assert len(first) == 4
    assert bare_answers(rows, LABELS, SlotConfig.make(bare_share=0.1)) == first
    assert bare_answers(rows, LABELS, SlotConfig.make(bare_share=0.1, seed=1)) != first
    assert bare_answers(rows, LABELS, SlotConfig.make(bare_share=0)) == []


@pytest.mark.parametrize(
    ("expected", "contexts", "learned"),
    [
        (("date",), "auto", True),
        (("nonsense",), "auto", False),
        ((), "auto", False),
        ((), "on", True),
        (("date",), "off", False),
    ],
)
def test_contexts_are_learned_where_the_data_has_them(
    expected: tuple[str, ...], contexts: str, learned: bool
) -> None:
    rows = [row("hi"), row("Friday", expected=expected)]
    assert learns_contexts(rows, ["city", "date"], SlotConfig.make(contexts=contexts)) is learned
