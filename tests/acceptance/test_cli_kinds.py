"""Skills of slots, of intents and slots, and of grammar, from files to answers, by the command line alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from training.cli.program import program

STEPS = ["--set", "min_steps=8", "--set", "max_steps=8", "--set", "precision=float32"]
CITIES = ["Oslo", "Rome", "Lisbon", "Porto", "Bergen", "Athens"]
KINDS = ["slots", "intent+slots", "grammar"]


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTSPOKEN_THREADS", "1")
        patch.setenv("SOFTSPOKEN_PRECISION", "float32")
        patch.delenv("SOFTSPOKEN_CATALOG", raising=False)
        patch.delenv("SOFTSPOKEN_SERVER", raising=False)
        yield


def document(*arguments: str) -> Any:
    result = CliRunner().invoke(program, [*arguments, "--json"], prog_name="softspoken")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def slot_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for city in CITIES:
        for intent, start in (("book", "a flight to "), ("ask", "is there snow in ")):
            slots = [{"slot": "city", "start": len(start), "end": len(start + city), "value": city}]
            rows.append({"text": start + city, "intent": intent, "slots": slots})
    asked = [{"slot": "city", "start": 0, "end": 4, "value": "Oslo"}]
    return [*rows, {"text": "Oslo", "intent": "book", "slots": asked, "requested": ["city"]}]


def sentences() -> list[dict[str, Any]]:
    wrong = [(f"she live in {city}", f"She lives in {city}.") for city in CITIES]
    right = [(f"We fly to {city}.", f"We fly to {city}.") for city in CITIES]
    return [{"text": text, "corrections": [correct]} for text, correct in (*wrong, *right)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    for name, rows in (("slots", slot_rows()), ("grammar", sentences())):
        lines = [json.dumps(row) + "\n" for row in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    types = '[city]\nkind = "list"\nvalues = { Oslo = ["OSL"], Rome = ["Roma"] }\n'
    (folder / "types.toml").write_text(types, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def trained(folder: Path) -> dict[str, Any]:
    """What `train --json` says of a skill of each kind."""
    found = {}
    for kind in KINDS:
        data = "grammar" if kind == "grammar" else "slots"
        types = [] if kind == "grammar" else ["--slot-types", str(folder / "types.toml")]
        found[kind] = document(
            *["train", kind.replace("+", "-"), "--kind", kind, "--data", str(folder / f"{data}.jsonl")],
            *["--catalog", catalog(folder), "--report", str(folder / f"{kind}.html"), *STEPS, *types],
            *(["--set", "dev_share=0.4"] if kind == "grammar" else ["--set", "head_rate=0.02"]),
        )
    return found


def catalog(folder: Path) -> str:
    return f"sqlite:///{folder / 'catalog.db'}"


@pytest.mark.parametrize(
    ("kind", "metric", "heading"),
    [("slots", "slot_f1", "slots"), ("intent+slots", "whole_frame", "intents"), ("grammar", "edit_f05", "G")],
)
def test_each_kind_is_trained_stored_and_reported(
    trained: dict[str, Any], folder: Path, kind: str, metric: str, heading: str
) -> None:
    version = trained[kind]
    assert (version["kind"], version["version"], version["aliases"]) == (kind, 1, ["live"])
    assert version["held_out"][metric] == version["metrics"][metric]
    page = (folder / f"{kind}.html").read_text(encoding="utf-8")
    assert heading in page and "rows held out of the training data" in page
    shown = document("skills", "show", kind.replace("+", "-"), "--catalog", catalog(folder))
    assert shown["provenance"]["config"]["max_steps"] == 8


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_evaluated(trained: dict[str, Any], folder: Path, kind: str) -> None:
    data = folder / ("grammar.jsonl" if kind == "grammar" else "slots.jsonl")
    report = folder / f"evaluated-{kind}.html"
    found = document(
        *["evaluate", kind.replace("+", "-"), "--data", str(data), "--report", str(report)],
        *["--catalog", catalog(folder)],
    )
    assert found["rows"] == len(data.read_text(encoding="utf-8").splitlines())
    assert str(data) in report.read_text(encoding="utf-8")
    assert ("intents" in found) is (kind == "intent+slots")


def test_the_context_can_be_ignored(trained: dict[str, Any], folder: Path) -> None:
    arguments = ["evaluate", "slots", "--data", str(folder / "slots.jsonl"), "--catalog", catalog(folder)]
    told, untold = document(*arguments), document(*arguments, "--ignore-context")
    assert told["slots"] == untold["slots"] == 13
    assert told["slot_ece"] != untold["slot_ece"]  # one row has a context


def test_one_text_is_answered_by_all_kinds(trained: dict[str, Any], folder: Path) -> None:
    [answer] = document("parse", "a flight to Oslo", "--catalog", catalog(folder))
    kinds = {each["kind"]: each for each in answer["results"]}
    assert set(kinds) == set(KINDS)
    assert kinds["grammar"]["grammar"]["corrected_text"]
    assert {each["name"] for each in kinds["intent+slots"]["ranking"]} == {"ask", "book"}


def test_data_of_another_kind_is_refused(trained: dict[str, Any], folder: Path) -> None:
    arguments = ["evaluate", "slots", "--data", str(folder / "grammar.jsonl"), "--catalog", catalog(folder)]
    result = CliRunner().invoke(program, arguments)
    assert result.exit_code == 2
    assert "grammar.jsonl:1" in result.stderr
