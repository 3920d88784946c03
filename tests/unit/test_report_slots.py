from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from skills.metrics import intent_metrics, predictions
from skills.skill import Method, Provenance
from skills.slot import SlotLabel
from skills.slot_metrics import AnsweredSpan, SlotPrediction, Span, slot_metrics
from training.report import SHOWN_ROWS, Subject, render
from training.report_slots import IntentPart, Piece, SlotReport, pieces

CITY, DATE = SlotLabel("city", "origin"), SlotLabel("date")
ATTACK = "<img src=x onerror=alert(1)>"


def subject(title: str = "trips@2") -> Subject:
    provenance = Provenance("d" * 64, 200, 17, {"epochs": 20}, "0.1.0", 12.5)
    return Subject(title, "dev.jsonl", Method.DEEP_PROMPT, "b" * 64, provenance)


def prediction(
    text: str,
    expected: tuple[Span, ...],
    *answered: tuple[Span, float],
    intent_right: bool | None = None,
) -> SlotPrediction:
    return SlotPrediction(
        text, expected, tuple(AnsweredSpan(span, sure) for span, sure in answered), intent_right
    )


OSLO, FRIDAY = Span(5, 9, CITY), Span(13, 19, DATE)
TEXT = "from Oslo on Friday"
RIGHT = prediction(TEXT, (OSLO, FRIDAY), (OSLO, 0.9), (FRIDAY, 0.8))
WRONG = prediction(TEXT, (OSLO, FRIDAY), (Span(0, 9, CITY), 0.75), (FRIDAY, 0.8))


def report(*rows: SlotPrediction, title: str = "trips@2") -> SlotReport:
    return SlotReport(subject(title), slot_metrics(rows), rows)


class Page(HTMLParser):
    """Collects the text that a browser would show."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(page: str) -> str:
    return " ".join(" ".join(Page(page).parts).split())


def test_the_page_tells_the_numbers() -> None:
    text = text_of(render(report(RIGHT, WRONG)))
    for told in (
        "trips@2",
        "Skill of 2 slots, measured on 2 rows of dev.jsonl",
        "Slot F1 75.0%",
        "Precision 75.0%",
        "Recall 75.0%",
        "Frame accuracy 50.0%",
        "city:origin 2 2 50.0 50.0 50.0",
        "date 2 2 100.0 100.0 100.0",
        "1 of 2 rows, the surest wrong answer first.",
    ):
        assert told in text
    assert "Whole frame" not in text


def test_errors_are_highlighted_as_expected_and_as_answered() -> None:
    page = render(report(RIGHT, WRONG))
    marks = re.findall(r'<mark class="([^"]+)">([^<]+)<small>([^<]+)</small>', page)
    assert marks == [
        ("hue0 wrong", "Oslo", "city:origin"),
        ("hue1", "Friday", "date"),
        ("hue0 wrong", "from Oslo", "city:origin 75%"),
        ("hue1", "Friday", "date 80%"),
    ]


def test_all_text_of_the_data_is_escaped() -> None:
    span = Span(0, len(ATTACK), SlotLabel(ATTACK))
    page = render(report(prediction(ATTACK, (), (span, 0.5)), title=ATTACK))
    assert "<img" not in page
    assert page.count("&lt;img") >= 5


def test_a_perfect_skill_has_a_page_too() -> None:
    text = text_of(render(report(RIGHT)))
    assert "Misread utterances None." in text


def test_a_skill_that_answers_nothing_has_a_page_too() -> None:
    assert "Recall 0.0%" in text_of(render(report(prediction(TEXT, (OSLO,)))))


def test_many_errors_are_cut() -> None:
    text = text_of(render(report(*[WRONG] * (SHOWN_ROWS + 1))))
    assert f"the first {SHOWN_ROWS} are shown" in text


def test_a_joint_skill_shows_both_parts() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])
    measured: dict[str, Any] = {
        "in_scope": np.array([0.9, 0.9]),
        "accepted": np.array([True, True]),
        "texts": ["a", "b"],
    }
    labels = ("book", "cancel")
    metrics = intent_metrics(probabilities, np.array([0, 1]), labels=labels, **measured)
    answers = predictions(probabilities, np.array([0, 1]), labels=labels, **measured)
    rows = (
        prediction(TEXT, (OSLO, FRIDAY), (OSLO, 0.9), (FRIDAY, 0.8), intent_right=True),
        prediction(TEXT, (), intent_right=False),
    )
    joint = SlotReport(subject(), slot_metrics(rows), rows, IntentPart(labels, metrics, answers))
    text = text_of(render(joint))
    for told in (
        "Skill of 2 intents and 2 slots",
        "Frame accuracy 100.0%",
        "Whole frame 50.0%",
        "Accuracy 50.0%",
        "Confusion matrix",
        "cancel book",
    ):
        assert told in text
    assert render(joint).count("Reliability diagram") == 2


@pytest.mark.parametrize(
    ("spans", "parts"),
    [
        ([], [TEXT]),
        ([OSLO], ["from ", "*", " on Friday"]),
        ([Span(0, 4, CITY), FRIDAY], ["*", " Oslo on ", "*"]),
        ([Span(0, 19, CITY)], ["*"]),
    ],
)
def test_pieces_make_up_the_text(spans: list[Span], parts: list[str]) -> None:
    marked = [Piece(TEXT[each.start : each.end], "slot") for each in spans]
    found = pieces(TEXT, marked, spans)
    assert "".join(part.text for part in found) == TEXT
    assert ["*" if part.label else part.text for part in found] == parts
