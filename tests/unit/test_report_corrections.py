from __future__ import annotations

import re

import pytest

from skills.correction import CorrectedSentence
from skills.edits import Edit, apply_edits, edits_between
from skills.grammar_metrics import GrammarMetrics, grammar_metrics
from skills.parse import GrammarAnswer
from skills.skill import Method, Provenance
from training.correction_evaluation import CorrectionPrediction
from training.report import SHOWN_ROWS, Subject, render
from training.report_corrections import Change, CorrectionReport, changes

ATTACK = "<img src=x onerror=alert(1)>"


def subject() -> Subject:
    provenance = Provenance("d" * 64, 200, 17, {"epochs": 3}, "0.1.0", 12.5)
    return Subject("grammar@1", "dev.tsv", Method.DEEP_PROMPT, "b" * 64, provenance)


def prediction(text: str, right: str, answered: str, confidence: float = 0.2) -> CorrectionPrediction:
    answer = GrammarAnswer(text == answered, confidence, answered, edits_between(text, answered))
    return CorrectionPrediction(CorrectedSentence(text, (right,)), answer)


def report(*rows: CorrectionPrediction, metrics: GrammarMetrics | None = None) -> CorrectionReport:
    found = metrics or GrammarMetrics(len(rows), 0.5, 0.25, 0.01, 0.6, 0.3, 0.5, 45.67, 0.6, 0.2, 0.4)
    return CorrectionReport(subject(), found, rows)


FIXED = prediction("he go home", "he goes home", "he goes home")
MISSED = prediction("she have a cat", "she has a cat", "she had a cat")
SPOILED = prediction("all is well", "all is well", "all are well", 0.4)


def rows_of(page: str) -> list[str]:
    return [
        re.sub(r"\s+", " ", row).strip() for row in re.findall(r'<td class="marked"[^>]*>(.*?)</td>', page)
    ]


def test_wrong_answers_are_word_diffs_and_what_was_right_comes_first() -> None:
    page = render(report(FIXED, MISSED, SPOILED))
    assert rows_of(page) == [
        "<span>expected</span>all is well<br><span>answered</span>all <del>is</del><ins>are</ins> well",
        "<span>expected</span>she <del>have</del><ins>has</ins> a cat<br>"
        "<span>answered</span>she <del>have</del><ins>had</ins> a cat",
    ]
    assert "2 of 3 sentences" in page


def test_the_page_tells_the_numbers() -> None:
    page = re.sub(r"<[^>]+>", " ", render(report(FIXED, MISSED)))
    text = " ".join(page.split())
    for told in (
        "Grammar skill, measured on 2 rows of dev.tsv",
        "GLEU 45.7",
        "ERRANT F0.5 40.0%",
        "Exact 50.0%",
        "Left alone 25.0%",
        "False edits 1.0%",
        "Edit F0.5 50.0%",
    ):
        assert told in text


def test_what_was_not_measured_is_left_out() -> None:
    page = render(report(MISSED, metrics=GrammarMetrics(1, 0, 0, None, 0, 0, 0)))
    assert "GLEU" not in page and "ERRANT" not in page and "False edits" not in page


def test_the_numbers_are_those_of_the_metrics() -> None:
    rows = (FIXED, MISSED, SPOILED)
    metrics = grammar_metrics(
        [row.sentence.text for row in rows],
        [row.answer.corrected for row in rows],
        [row.sentence.corrections for row in rows],
    )
    assert "33.3%" in render(report(*rows, metrics=metrics))


def test_all_text_of_the_data_is_escaped() -> None:
    page = render(report(prediction(f"{ATTACK} go", f"{ATTACK} goes", f"{ATTACK} {ATTACK}")))
    assert "<img" not in page
    assert page.count("&lt;img") >= 2


def test_without_errors_there_is_nothing_to_show() -> None:
    assert rows_of(render(report(FIXED))) == []


def test_many_errors_are_cut() -> None:
    assert f"the first {SHOWN_ROWS} are shown" in render(report(*[MISSED] * (SHOWN_ROWS + 1)))


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("he go home", "he goes home"),
        ("home", "at home"),
        ("a a cat", "a cat"),
        ("same", "same"),
        ("one two three", "1 two 3"),
        ("", "new"),
    ],
)
def test_changes_tell_both_texts(text: str, corrected: str) -> None:
    found = changes(text, edits_between(text, corrected))
    assert "".join(each.deleted + each.kept for each in found) == text
    assert "".join(each.inserted + each.kept for each in found) == corrected
    assert apply_edits(text, edits_between(text, corrected)) == corrected


def test_changes_without_edits_keep_the_text() -> None:
    assert changes("all well", ()) == (Change(kept="all well"),)
    assert changes("ab", (Edit(0, 1, "x"),)) == (Change(), Change("a", "x", "b"))
