from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from training.cli.program import program

EXAMPLES = Path(__file__).parents[2] / "examples" / "concierge" / "intents.jsonl"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["advise", *arguments, "--threads", "1"], prog_name="softspoken")


@pytest.fixture(scope="module")
def document() -> dict[str, object]:
    """Of the example file."""
    result = run("--data", str(EXAMPLES), "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_the_example_file(document: dict[str, object]) -> None:
    assert list(document) == ["accuracy", "suspects", "overlaps", "few_rows", "learning_curve"]
    assert isinstance(document["accuracy"], float) and 0.5 < document["accuracy"] < 1
    rows = {json.loads(line)["text"] for line in EXAMPLES.read_text(encoding="utf-8").splitlines()}
    assert document["suspects"] and {each["text"] for each in document["suspects"]} < rows  # type: ignore[attr-defined]


def test_a_row_with_a_wrong_intent_is_named(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    place = next(i for i, row in enumerate(lines) if row["intent"] == "card_lost")
    lines[place]["intent"] = "book_flight"
    data = tmp_path / "data.jsonl"
    data.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")

    result = run("--data", str(data))

    assert result.exit_code == 0 and f"data.jsonl:{place + 1} " in result.stdout
    assert "learning curve" in result.stdout and "rows are worth a look" in result.stderr


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)

    result = run("--data", str(EXAMPLES))

    assert result.exit_code == 2 and "pip install 'softspoken[advice]'" in result.stderr
