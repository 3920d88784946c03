"""A whole Rasa project becomes a joint skill, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from training.cli.program import program

LIBRARY = Path(__file__).parents[1] / "rasa" / "library"
STEPS = ["--epochs", "1", "--prompt-length", "1", "--set", "min_steps=0", "--set", "max_steps=4"]


def test_a_project_is_trained_and_what_is_not_used_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOFTSPOKEN_THREADS", "1")
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", f"sqlite:///{tmp_path / 'catalog.db'}")
    command = ["train", "library", "--kind", "intent+slots", "--data", str(LIBRARY), "--json", *STEPS]
    result = CliRunner().invoke(program, command, prog_name="softspoken")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["labels"] == ["borrow", "faq/fines", "faq/opening", "move"]
    move = str(LIBRARY / "data" / "nlu" / "move.yml")
    author = {
        "file": move,
        "row": 17,
        "what": "lookup author",
        "reason": "no row has a slot that it is of",
    }
    assert author in document["unused"]
    assert f"not used: {move}:17: lookup author: no row has a slot" in result.stderr
