from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skills import corruption
from skills.corruption import CorruptionRates
from skills.formats import read_corrections
from training.cli import corrupt as module
from training.cli.program import program

SENTENCES = [
    "Where can I find a good restaurant in San Jose?",
    "Yes, that's right. I'd like to book two tickets for Monday at 7:30 pm, please.",
    "i am careless",
    "Thanks for your help.",
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turns.txt").write_text("\n".join(SENTENCES), encoding="utf-8")
    rows = [json.dumps({"text": text, "intent": "x"}) for text in [*SENTENCES, "This is another one."]]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["corrupt", *arguments], prog_name="softspoken")


def test_pairs_are_written_that_training_reads(folder: Path) -> None:
    result = run("turns.txt", "rows.jsonl", "--out", "pairs.jsonl", "--clean", "0")

    assert (result.exit_code, result.stderr) == (0, "")
    pairs = read_corrections(folder / "pairs.jsonl").sentences
    clean = [SENTENCES[0], SENTENCES[1], SENTENCES[3], "This is another one."]
    assert [pair.corrections for pair in pairs] == [(text,) for text in clean]
    assert not any(pair.is_right for pair in pairs)
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["pairs", "in", "pairs.jsonl"],
        ["sentences", "5"],
        ["pairs", "4"],
        ["with", "errors", "4"],
        ["right", "0"],
    ]


def test_json_summary_and_no_progress() -> None:
    result = run("turns.txt", "--out", "p.jsonl", "--clean", "1", "--copies", "3", "--json")

    assert result.stderr == ""
    summary = {"out": "p.jsonl", "sentences": 4, "pairs": 3, "with_errors": 0, "right": 3}
    assert json.loads(result.stdout) == summary


def test_copies_have_other_errors_and_a_seed_repeats_them(folder: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert run("turns.txt", "--out", f"{name}.jsonl", "--copies", "4", "--seed", seed).exit_code == 0
    written = [(folder / f"{name}.jsonl").read_text(encoding="utf-8") for name in "abc"]

    assert written[0] == written[1] != written[2]
    assert len(set(written[0].splitlines())) == len(written[0].splitlines()) > 4


def test_rates_are_obeyed(folder: Path) -> None:
    kinds = ",".join(f"{kind}=0" for kind in CorruptionRates().kinds if kind != "casing")

    assert run("turns.txt", "--out", "a.jsonl", "--rates", f"{kinds},clean=0").exit_code == 0
    for pair in read_corrections(folder / "a.jsonl").sentences:
        assert pair.text != pair.corrections[0]
        assert pair.text.lower() == pair.corrections[0].lower()


def test_progress_is_shown_where_it_takes_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANY", 4)
    result = run("turns.txt", "--out", "a.jsonl", "--copies", "2")

    assert result.stderr.splitlines()[0] == "copy 1 of 2: 20 % (1 of 4 sentences)"
    assert result.stderr.splitlines()[-1] == "copy 2 of 2: 100 % (4 of 4 sentences)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["turns.txt", "--out", "turns.txt"], "pairs are JSON Lines: name the file turns.jsonl"),
        (
            ["turns.txt", "--out", "rows.jsonl"],
            "rows.jsonl is there already: name another file, or give --force",
        ),
        (["turns.txt", "--out", "no/a.jsonl"], "no is no folder"),
        (["none.txt", "--out", "a.jsonl"], "none.txt: no such file"),
        (["turns.txt", "--out", "a.jsonl", "--rates", "typo=1"], "'typo' is not known"),
        (["bad.txt", "--out", "a.jsonl"], "none of 1 sentences can be used"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(
    folder: Path, arguments: list[str], said: str
) -> None:
    (folder / "bad.txt").write_text("i am careless\n", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_is_replaced_when_the_new_one_is_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "rows.jsonl").read_bytes()

    def breaks(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(corruption, "corrupt", breaks)
        assert run("turns.txt", "--out", "rows.jsonl", "--force").exit_code == 130
    assert (folder / "rows.jsonl").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["rows.jsonl", "turns.txt"]

    assert run("turns.txt", "--out", "rows.jsonl", "--force").exit_code == 0
    assert (folder / "rows.jsonl").read_bytes() != before
