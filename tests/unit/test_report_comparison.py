from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skills.comparison import Answered, ComparedRow, LabelScore, compare
from skills.skill import Provenance, SkillVersion
from training.compared_versions import ComparedVersions
from training.report import SHOWN_ROWS, render, write_report
from training.report_comparison import ComparisonReport, Fact, facts

ATTACK = "<img src=x onerror=alert(1)>"
BETTER = ComparedRow("add funds", "top_up", Answered("card_arrival", False), Answered("top_up", True))
WORSE = ComparedRow(
    "my card", "card_arrival", Answered("card_arrival", True), Answered("out of scope", False)
)
DIFFERENT = ComparedRow("hm", "top_up", Answered("card_arrival", False), Answered("exchange_rate", False))
SAME = ComparedRow("same in both", "top_up", Answered("top_up", True), Answered("top_up", True))

Make = Callable[..., ComparisonReport]


@pytest.fixture
def make(make_version: Callable[..., SkillVersion]) -> Make:
    def report(*rows: ComparedRow, left_out: int = 0) -> ComparisonReport:
        first, second = {"top_up": LabelScore(3, 0.5)}, {"top_up": LabelScore(3, 0.75)}
        compared = ComparedVersions(
            first=make_version(version=1),
            second=make_version(version=2),
            comparison=compare(rows, first, second),
            first_metrics={"accuracy": 0.5, "oos_recall": 0.1},
            second_metrics={"accuracy": 0.625},
            left_out=left_out,
        )
        return ComparisonReport.of(compared, "test.jsonl")

    return report


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split())


def test_the_page_tells_both_sides(make: Make) -> None:
    text = text_of(render(make(BETTER, BETTER, WORSE, DIFFERENT, SAME, SAME)))
    for told in (
        "banking@2 compared with banking@1 , measured on 6 rows of test.jsonl",
        "banking@1 50.0% of rows answered right",
        "banking@2 66.7% of rows answered right",
        "The difference may be chance",
        "as unevenly as 2 to 1 or more so with a probability of 1;",
        "Got worse 1 of 6 rows.",
        "Got better 2 of 6 rows.",
        "accuracy 0.5 0.625",
        "oos_recall 0.1 –",
        "top_up 3 50.0 75.0 +25.0",
    ):
        assert told in text.replace("banking@1,", "banking@1 ,")


def test_every_changed_row_is_there_with_both_answers(make: Make) -> None:
    page = render(make(BETTER, WORSE, DIFFERENT, SAME))
    rows = [text_of(f"<body>{row}") for row in re.findall(r"<tr><td class=\"text\".*?</tr>", page)]
    assert rows == [
        "my card card_arrival card_arrival out of scope",
        "add funds top_up card_arrival top_up",
        "hm top_up card_arrival exchange_rate",
    ]
    assert page.count("<del>") == 4  # answers that are wrong


def test_a_clear_difference_is_called_so(make: Make) -> None:
    assert "The difference is significant" in render(make(*[BETTER] * 6))


def test_rows_that_were_left_out_are_told(make: Make) -> None:
    assert "7 rows have labels that only one" in render(make(SAME, left_out=7))
    assert "left out" not in render(make(SAME))


def test_many_rows_are_cut(make: Make) -> None:
    page = render(make(*[WORSE] * (SHOWN_ROWS + 1)))
    assert f"the first {SHOWN_ROWS} are shown" in page
    assert page.count("my card") == SHOWN_ROWS


def test_all_text_of_the_data_is_escaped_and_nothing_is_fetched(make: Make, tmp_path: Path) -> None:
    row = ComparedRow(ATTACK, ATTACK, Answered(ATTACK, False), Answered(ATTACK + "2", False))
    path = tmp_path / "report.html"
    write_report(path, make(row))
    page = path.read_text(encoding="utf-8")
    assert "<img" not in page
    assert page.count("&lt;img") == 4
    assert not re.search(r"""(src|href)=["']?http|@import|url\(""", page)


def test_of_settings_those_that_differ_are_told(make_version: Callable[..., SkillVersion]) -> None:
    first = make_version(provenance=Provenance("a" * 64, 15, 13, {"epochs": 3, "scale": 16.0}, "1.0", 1.0))
    second = replace(
        first,
        created_at=datetime(2026, 2, 1, tzinfo=UTC),
        provenance=Provenance(
            "b" * 64, 20, 13, {"epochs": 5, "scale": 16.0, "relabeled_from": "a@1"}, "1.0", 2.0
        ),
    )
    found = facts(first, second)
    assert Fact("Training rows", "15", "20") in found
    assert Fact("Trained (UTC)", "2026-01-01 00:00", "2026-02-01 00:00") in found
    assert found[-2:] == [Fact("epochs", "3", "5"), Fact("relabeled_from", "–", "a@1")]
