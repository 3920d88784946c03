"""The command line on the embedded backbone: train, look, evaluate, ask, serve, interrupt."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nlu.client import Client
from training import cli
from training.cli.program import program

ROOT = Path(cli.__file__).parents[2]
# SIGINT is ignored in what a shell runs in the background: the child must get it wherever the tests run.
PROGRAM = """
import signal, training.cli
signal.signal(signal.SIGINT, signal.default_int_handler)
training.cli.main()
"""
TEXTS = {
    "greet": ["hello", "hi there", "good morning to you", "hey, how are you", "greetings", "good evening"],
    "pay_bill": [
        "pay my electricity bill",
        "settle the water bill",
        "I want to pay an invoice",
        "pay the phone bill for June",
        "transfer the money for my gas bill",
        "clear what I owe on the internet bill",
    ],
    "weather": [
        "will it rain today",
        "how hot is it outside",
        "give me the forecast for Sunday",
        "is it snowing in the mountains",
        "do I need an umbrella",
        "what is the temperature tonight",
    ],
}
QUICK = ["--set", "min_steps=10", "--set", "max_steps=10"]


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """One thread, and no measuring of precisions: there are many processes, and each is short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTSPOKEN_THREADS", "1")
        patch.setenv("SOFTSPOKEN_PRECISION", "float32")
        patch.delenv("SOFTSPOKEN_CATALOG", raising=False)
        patch.delenv("SOFTSPOKEN_SERVER", raising=False)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data files."""
    folder = tmp_path_factory.mktemp("cli")
    rows = [{"text": text, "intent": label} for label, texts in TEXTS.items() for text in texts]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    oos = {"text": "who painted the Mona Lisa", "intent": "__oos__"}
    (folder / "oos.jsonl").write_text(json.dumps(oos) + "\n", encoding="utf-8")
    (folder / "bad.csv").write_text("text,intent\nhello,greet\n,greet\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> str:
    return f"sqlite:///{folder / 'catalog.db'}"


@pytest.fixture(scope="module")
def trained(folder: Path, catalog: str) -> dict[str, Any]:
    """What `train --json` says of the version that the other tests use."""
    result = run(
        *["train", "chat", "--kind", "intent", "--data", str(folder / "data.jsonl"), *QUICK],
        *["--oos", str(folder / "oos.jsonl"), "--report", str(folder / "report.html")],
        *["--catalog", catalog, "--json"],
    )
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments, prog_name="softspoken")


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@contextmanager
def process(*arguments: str, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(command, cwd=ROOT, text=True, **streams) as started:
        try:
            yield started
        finally:
            started.kill()


def test_train_stores_a_live_version(trained: dict[str, Any], folder: Path, catalog: str) -> None:
    assert (trained["name"], trained["version"], trained["aliases"]) == ("chat", 1, ["live"])
    assert trained["labels"] == sorted(TEXTS)
    assert trained["held_out"]["oos_rows"] == 1
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")
    (skill,) = document("skills", "list", "--catalog", catalog)
    assert (skill["name"], skill["aliases"]) == ("chat", {"live": 1})
    shown = document("skills", "show", "chat", "--catalog", catalog)
    assert (shown["sha256"], shown["bytes"]) == (trained["sha256"], trained["bytes"])
    assert shown["provenance"]["config"]["max_steps"] == 10


def test_train_without_promotion_in_words(
    trained: dict[str, Any], folder: Path, tmp_path: Path, catalog: str
) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"

    result = run(
        *["train", "chat", "--kind", "intent", "--data", str(folder / "data.jsonl"), *QUICK],
        *["--no-promote", "--catalog", other],
    )

    assert result.exit_code == 0, result.stderr
    assert "chat@1 (not live; softspoken skills promote chat@1)" in result.stdout
    assert "training on all rows: 100 % (10/10 steps)" in result.stderr
    (skill,) = document("skills", "list", "--catalog", other)
    assert skill["aliases"] == {}
    without_oos = document("skills", "show", "chat@1", "--catalog", other)
    assert "oos_auroc" not in without_oos["metrics"]


def test_evaluate_answers_the_file(trained: dict[str, Any], folder: Path, catalog: str) -> None:
    arguments = ["evaluate", "chat@live", "--data", str(folder / "data.jsonl"), "--catalog", catalog]

    found = document(*arguments, "--report", str(folder / "evaluation.html"))

    assert (found["name"], found["version"], found["rows"]) == ("chat", 1, 18)
    assert found["accuracy"] > 0.9  # it has learned these rows
    assert "<html" in (folder / "evaluation.html").read_text(encoding="utf-8")


def test_parse_answers_offline(trained: dict[str, Any], catalog: str) -> None:
    answers = document("parse", "good morning to you", " ", "--catalog", catalog, "--n-best", "2")

    first, blank = (answer["results"][0] for answer in answers)
    assert first["ranking"][0]["name"] == "greet"
    assert len(first["ranking"]) == 2
    assert first["skill"] == {"name": "chat", "version": 1, "sha256": trained["sha256"]}
    assert blank["outcome"] == "empty-input"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "chat", "--kind", "intent", "--data", "{folder}/bad.csv"], 2, "bad.csv:3: text is blank"),
        (["evaluate", "chat", "--data", "{folder}/bad.csv"], 2, "bad.csv:3: text is blank"),
        (["evaluate", "chat@7", "--data", "{folder}/data.jsonl"], 2, "has no version 7; there are 1"),
        (["parse", "hello", "--skills", "chat,nothing"], 2, "no skill nothing@live"),
        (["parse", "x" * 2001], 2, "text has 2001 characters, at most 2000 are allowed"),
        (["parse", "hello", "--backbone", "nothing"], 1, "backbone 'nothing' is neither 'embedded'"),
        (["parse", "hello", "--threads", "4096"], 2, "threads is 4096"),
    ],
)
def test_errors_are_one_line_and_a_code(
    trained: dict[str, Any], folder: Path, catalog: str, arguments: list[str], code: int, message: str
) -> None:
    result = run(*(part.replace("{folder}", str(folder)) for part in arguments), "--catalog", catalog)

    assert result.exit_code == code
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_serve_answers_parse_and_stops_with_0(trained: dict[str, Any], catalog: str) -> None:
    arguments = [
        "serve",
        "--catalog",
        catalog,
        "--address",
        "127.0.0.1:0",
        "--threads",
        "1",
        "--log-level",
        "error",
    ]
    with process(*arguments, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        address = server.stdout.readline().removeprefix("serving on ").strip()

        answer = document("parse", "do I need an umbrella", "--server", address)[0]
        unknown = run("parse", "hello", "--server", address, "--skills", "nothing")
        with Client(address) as client:
            served = client.list_skills().skills[0]
        server.send_signal(signal.SIGTERM)
        code = server.wait()
    gone = run("parse", "hello", "--server", address)

    assert answer["results"][0]["ranking"][0]["name"] == "weather"
    assert (served.skill.name, served.aliases) == ("chat", ("live",))
    assert (unknown.exit_code, code, gone.exit_code) == (2, 0, 3)
    assert "no skill nothing@live" in unknown.stderr
    assert f"no server answers at {address}" in gone.stderr


def test_ctrl_c_in_training_stores_nothing(folder: Path, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    steps = ["--set", "min_steps=200", "--set", "max_steps=200", "--set", "patience=100"]
    arguments = [
        "train",
        "chat",
        "--kind",
        "intent",
        "--data",
        str(folder / "data.jsonl"),
        "--catalog",
        other,
    ]
    with process(*arguments, *steps, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as training:
        assert training.stderr is not None
        started = next((line for line in training.stderr if line.startswith("training: 10 %")), "")
        training.send_signal(signal.SIGINT)
        out, rest = training.communicate()

    assert started
    assert (training.returncode, out) == (130, "")
    assert rest.endswith("interrupted: no version of 'chat' was stored\n")
    assert document("skills", "list", "--catalog", other) == []
