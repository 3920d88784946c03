from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nlu.backbone import Backbone
from skills.skill import SkillDraft, SkillKind
from storage.catalog import Catalog
from training.cli.program import program

ROWS = [("a red car", "red"), ("green grass", "green"), ("the blue sea", "blue"), ("a pink pig", "pink")]


@pytest.fixture
def folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
) -> Path:
    """A folder with a catalog of two versions of colours and of other kinds, and rows of colours."""
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", url)
    for name, value in (("ENGINE", "torch"), ("PRECISION", "float32"), ("THREADS", "1")):
        monkeypatch.setenv(f"SOFTSPOKEN_{name}", value)
    catalog = Catalog.open(url)
    for seed in (1, 2):
        catalog.publish(
            make_draft(backbone, "colours", seed=seed), alias="live" if seed == 1 else "candidate"
        )
        catalog.publish(make_draft(backbone, "errors", SkillKind.GRAMMAR, seed=seed))
    catalog.publish(make_draft(backbone, "places", SkillKind.SLOTS), alias="live")
    catalog.close()
    lines = [json.dumps({"text": text, "intent": intent}) + "\n" for text, intent in ROWS]
    (tmp_path / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["skills", "compare", *arguments], prog_name="softspoken")


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_two_versions_answer_the_rows_that_both_know(folder: Path) -> None:
    found = document("colours", "colours@candidate", "--data", "rows.jsonl")
    assert (found["a"]["version"], found["b"]["version"]) == (1, 2)
    assert (found["rows"], found["left_out"]) == (3, 1)
    for side in ("a", "b"):
        assert found[side]["metrics"]["rows"] == 3
        assert found[side]["right"] == pytest.approx(found[side]["metrics"]["accuracy"])
    flipped = len(found["better"]) - len(found["worse"])
    assert flipped == pytest.approx(3 * (found["b"]["right"] - found["a"]["right"]))
    texts = [row["text"] for change in ("better", "worse", "different") for row in found[change]]
    assert texts and set(texts) <= {text for text, _ in ROWS[:3]}
    back = document("colours@2", "colours@1", "--data", "rows.jsonl")
    assert (back["better"], back["p_value"]) == (
        [{**row, "first": row["second"], "second": row["first"]} for row in found["worse"]],
        found["p_value"],
    )


def test_tables_and_the_page_name_what_changed(folder: Path) -> None:
    result = run("colours@1", "colours@2", "--data", "rows.jsonl", "--report", "report.html")
    assert result.exit_code == 0, result.stderr
    assert "1 rows have labels that only one of colours@1 and colours@2 knows" in result.stderr
    found = document("colours@1", "colours@2", "--data", "rows.jsonl")
    page = (folder / "report.html").read_text(encoding="utf-8")
    for change in ("better", "worse", "different"):
        for row in found[change]:
            assert row["text"] in result.stdout and row["text"] in page
    assert "colours@2 is better than colours@1 on" in result.stdout.splitlines()[-1]
    assert f"p = {found['p_value']:.3g}" in result.stdout.splitlines()[-1]


def test_corrections_are_compared(folder: Path) -> None:
    row = {"text": "he go home", "corrections": ["he go home", "he goes home"]}
    (folder / "sentences.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    found = document("errors@1", "errors@2", "--data", "sentences.jsonl")
    assert found["rows"] == 1
    assert found["a"]["right"] == found["a"]["metrics"]["exact"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["colours", "colours@9"], "has no version 9"),
        (["colours", "places"], "places@1 of kind slots: compare versions of one kind"),
        (["colours", "colours@2", "--report", "nowhere/report.html"], "report nowhere/report.html cannot"),
    ],
)
def test_wrong_input_ends_with_2(folder: Path, arguments: list[str], message: str) -> None:
    result = run(*arguments, "--data", "rows.jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
