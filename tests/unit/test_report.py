from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from skills.errors import InputError
from skills.metrics import Prediction, intent_metrics, predictions
from skills.skill import OUT_OF_SCOPE_LABEL, Method, Provenance
from training.report import SHOWN_ROWS, Subject, render, write_report
from training.report_intents import MATRIX_LABELS, IntentReport, confusion_matrix, scope_histogram

ATTACK = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def report(
    *,
    labels: int = 4,
    rows: int = 40,
    oos: int = 0,
    wrong: int = 3,
    text: str = "hi",
    warnings: tuple[str, ...] = (),
) -> IntentReport:
    """Make a report in which the first `wrong` rows in scope are read as the next label."""
    names = tuple(f"intent_{number}" for number in range(labels))
    expected = np.arange(rows) % labels
    best = expected.copy()
    best[:wrong] = (best[:wrong] + 1) % labels
    expected[rows - oos :] = -1
    probabilities = np.full((rows, labels), 0.2 / (labels - 1))
    probabilities[np.arange(rows), best] = 0.8
    in_scope = np.where(expected >= 0, 0.9, 0.2)
    texts = [f"{text} {number}" for number in range(rows)]
    accepted = in_scope > 0.5
    metrics = intent_metrics(
        probabilities, expected, in_scope=in_scope, accepted=accepted, texts=texts, labels=names
    )
    answers = predictions(
        probabilities, expected, in_scope=in_scope, accepted=accepted, texts=texts, labels=names
    )
    subject = Subject(
        title="concierge@3",
        measured_on="dev.csv",
        method=Method.DEEP_PROMPT,
        backbone="b" * 64,
        provenance=Provenance("d" * 64, 200, 17, {"prompt_len": 20}, "0.1.0", 12.5),
        warnings=warnings,
    )
    return IntentReport(subject, names, metrics, answers)


def test_the_page_tells_the_numbers_and_where_they_come_from(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    write_report(path, report(oos=8, warnings=("duplicate rows, dropped (1): a.csv:2",)))
    text = " ".join(Page(path.read_text(encoding="utf-8")).text.split())
    for told in (
        "concierge@3",
        "4 intents, measured on 40 rows of dev.csv",
        "Accuracy 90.6%",
        "Out-of-scope recall 100.0%",
        "Out-of-scope AUROC 1.000",
        "duplicate rows, dropped (1): a.csv:2",
        "3 of 40 rows, the most confident first.",
        "hi 0 intent_0 intent_1 80.0",
        "deep-prompt",
        "d" * 64,
        "b" * 64,
        "12.5 s",
        "Seed 17",
        "prompt_len 20",
    ):
        assert told in text


def test_text_of_the_data_is_escaped_everywhere() -> None:
    given = report(text=ATTACK, oos=2, warnings=(ATTACK,))
    hostile = {name: name.replace("intent_1", ATTACK) for name in given.labels}
    rows = tuple(
        Prediction(row.text, hostile.get(row.expected, row.expected), hostile[row.answered], 0.8, 0.9, True)
        for row in given.predictions
    )
    provenance = Provenance("d", 1, 1, {ATTACK: ATTACK}, ATTACK, 1.0)
    subject = Subject(ATTACK, ATTACK, given.subject.method, ATTACK, provenance, (ATTACK,))
    page = Page(render(IntentReport(subject, tuple(hostile.values()), given.metrics, rows)))
    assert page.tags.count("script") == 1  # the one that sorts tables
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(ATTACK) > 10


def test_the_page_needs_nothing_from_the_network() -> None:
    page = Page(render(report(oos=4)))
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "action")]
    assert any("default-src 'none'" in value for _, value in page.attributes)


@pytest.mark.parametrize("oos", [0, 5])
def test_the_scope_histogram_is_there_if_there_are_rows_for_it(oos: int) -> None:
    charts = [value for name, value in Page(render(report(oos=oos))).attributes if name == "aria-label"]
    assert ("Histogram of the probability of being in scope" in charts) is bool(oos)
    assert {"Reliability diagram", "Confusion matrix"} <= set(charts)


def test_a_perfect_skill_has_a_page_too() -> None:
    text = Page(render(report(labels=MATRIX_LABELS + 1, rows=62, wrong=0))).text
    assert "No intent was taken for another." in text


def test_many_misread_rows_are_cut() -> None:
    text = " ".join(Page(render(report(rows=700, wrong=600))).text.split())
    assert f"600 of 700 rows, the most confident first; the first {SHOWN_ROWS} are shown." in text


def test_a_row_that_was_turned_away_is_listed() -> None:
    given = report(wrong=0)
    first = given.predictions[0]
    turned_away = Prediction("let me in", first.expected, first.answered, 0.7, 0.3, accepted=False)
    rows = (turned_away, *given.predictions[1:])
    changed = replace(given, predictions=rows)
    text = " ".join(Page(render(changed)).text.split())
    assert "let me in intent_0 intent_0 turned away 70.0" in text


def test_the_matrix_of_few_labels_is_whole() -> None:
    given = report(labels=3, rows=9, wrong=2)
    matrix = confusion_matrix(given.predictions, given.labels, given.metrics.confusions)
    assert not matrix.partial
    assert matrix.expected == matrix.answered == given.labels
    assert matrix.counts == ((2, 1, 0), (0, 2, 1), (0, 0, 3))


def test_the_matrix_of_many_labels_has_the_most_confused_and_counts_the_rest() -> None:
    given = report(labels=100, rows=400, wrong=90)
    matrix = confusion_matrix(given.predictions, given.labels, given.metrics.confusions)
    assert matrix.partial
    assert len(matrix.expected) == MATRIX_LABELS
    assert matrix.answered == (*matrix.expected, "other")
    assert [sum(counts) for counts in matrix.counts] == [4] * MATRIX_LABELS  # no row is lost
    outward = [
        each
        for each in given.metrics.confusions
        if each.expected in matrix.expected and each.answered not in matrix.expected
    ]
    assert sum(counts[-1] for counts in matrix.counts) == sum(each.count for each in outward) > 0
    assert f"only the {MATRIX_LABELS} in the worst confusions are shown" in render(given)


def test_histogram_shares_add_up() -> None:
    rows = [Prediction("", "a", "a", 1.0, scope, True) for scope in (0.0, 0.049, 0.5, 1.0)]
    rows += [Prediction("", OUT_OF_SCOPE_LABEL, "a", 1.0, 0.05, False)]
    bins = scope_histogram(rows)
    assert [each.inside for each in bins if each.inside] == [0.5, 0.25, 0.25]
    assert [each.lower for each in bins if each.outside] == [0.05]


def test_writing_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    path.write_text("old")
    write_report(path, report())
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "out.html"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", disk_full)
    with pytest.raises(InputError, match="No space left"):
        write_report(path, report())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none/out\.html cannot be written .*folder that exists") as caught:
        write_report(tmp_path / "none" / "out.html", report())
    assert caught.value.field == "report"
