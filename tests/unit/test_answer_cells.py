from __future__ import annotations

import pytest
from rich.text import Span

from nlu.client_types import (
    Edit,
    Grammar,
    Intent,
    Outcome,
    SimilarUtterance,
    SkillKind,
    SkillResult,
    SkillVersion,
    Slot,
)
from training.cli.answer_cells import answer_cell, utterance_cell

VERSION = SkillVersion("travel", 1, "f" * 64)
TEXT = "to New York on Friday"
CITY = Slot("city", 3, 11, "New York", "New York City", 0.9, role="destination")
DATE = Slot("date", 15, 21, "Friday", "2026-03-06", 0.755)
SLOTS = SkillResult(VERSION, SkillKind.SLOTS, Outcome.MATCHED, slots=(CITY, DATE))
JOINT = SkillResult(
    VERSION, SkillKind.JOINT, Outcome.MATCHED, (Intent("book", 0.9), Intent("cancel", 0.1)), 0.9, (DATE,)
)
SIMILAR = (SimilarUtterance("get me a flight", "book", 0.93125), SimilarUtterance("drop it", "cancel", 0.5))
EXPLAINED = SkillResult(
    VERSION, SkillKind.INTENT, Outcome.MATCHED, (Intent("book", 0.9),), 0.9, similar=SIMILAR
)
EDITS = (Edit(2, 6, "has", 0.9), Edit(7, 9, "", 0.5), Edit(14, 14, " now", 0.5))


def corrected(text: str, *edits: Edit, confidence: float = 0.125) -> SkillResult:
    grammar = Grammar(not edits, confidence, "unused", edits)
    return SkillResult(VERSION, SkillKind.GRAMMAR, Outcome.MATCHED, grammar=grammar)


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (SLOTS, "city:destination=New York City 0.900, date=2026-03-06 0.755"),
        (EXPLAINED, "book 0.900; 0.931 like 'get me a flight' book, 0.500 like 'drop it' cancel"),
        (JOINT, "book 0.900, cancel 0.100; date=2026-03-06 0.755"),
        (SkillResult(VERSION, SkillKind.SLOTS, Outcome.MATCHED), ""),
        (SkillResult(VERSION, SkillKind.INTENT, Outcome.EMPTY_INPUT), ""),
        (corrected("", confidence=0.75), "grammatical 0.750"),
    ],
)
def test_an_answer_in_a_pipe_is_plain(answer: SkillResult, plain: str) -> None:
    found = answer_cell(TEXT, answer, colours=False)
    assert found.plain == plain
    assert utterance_cell(TEXT, answer, colours=False).spans == []


def test_a_correction_in_a_pipe_shows_both_sides() -> None:
    text = "I have a a cat."
    shown = answer_cell(text, corrected(text, *EDITS), colours=False).plain
    assert shown == "I [-have-]{+has+} [-a -]a cat{+ now+}. (not grammatical 0.875)"


def test_slots_have_one_colour_in_the_utterance_and_its_legend() -> None:
    utterance = utterance_cell(TEXT, SLOTS, colours=True)
    legend = answer_cell(TEXT, SLOTS, colours=True)
    marked = [(utterance.plain[each.start : each.end], each.style) for each in utterance.spans]
    named = [(legend.plain[each.start : each.end], each.style) for each in legend.spans]
    assert [text for text, _ in marked] == ["New York", "Friday"]
    assert [text for text, _ in named] == ["city:destination", "date"]
    colours = [[style.color for _, style in each if not isinstance(style, str)] for each in (marked, named)]
    assert colours[0] == colours[1]
    assert len(set(map(str, colours[0]))) == 2
    assert legend.plain == "city:destination=New York City 90.0 %\ndate=2026-03-06 75.5 %"


def test_a_joint_answer_shows_bars_and_slots() -> None:
    lines = answer_cell(TEXT, JOINT, colours=True).plain.splitlines()
    assert [line.split()[-1] for line in lines[:2]] == ["book", "cancel"]
    assert lines[2] == "date=2026-03-06 75.5 %"


def test_a_correction_on_a_terminal_is_a_diff_in_colours() -> None:
    shown = answer_cell("I have it", corrected("I have it", Edit(2, 6, "has", 0.9)), colours=True)
    assert shown.plain == "I havehas it (not grammatical 87.5 %)"
    assert [each for each in shown.spans if each.style] == [Span(2, 6, "red strike"), Span(6, 9, "green")]


@pytest.mark.parametrize("colours", [False, True])
def test_no_part_of_an_answer_steers_the_terminal(colours: bool) -> None:
    text = "a\x1b[31mb\n"
    slot = Slot("na\x1bme", 1, 5, text[1:5], "va\x07lue", 0.5)
    slots = SkillResult(VERSION, SkillKind.SLOTS, Outcome.MATCHED, slots=(slot,))
    for answer in (slots, corrected(text, Edit(0, 3, "\x1b[0m", 0.5))):
        for found in (
            answer_cell(text, answer, colours=colours),
            utterance_cell(text, answer, colours=colours),
        ):
            assert not {"\x1b", "\x07"} & set(found.plain)
