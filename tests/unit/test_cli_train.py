from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skills.errors import DataError, InputError
from skills.skill import SkillKind
from training.cli import demo
from training.cli.background_server import ROOT
from training.cli.labeled_files import LabeledFiles, skip_warnings
from training.cli.program import program
from training.config import CONFIGS, CorrectionConfig, JointConfig, SlotConfig, TuningConfig

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return a function that writes (text, intent) rows as JSON Lines into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SOFTSPOKEN_CATALOG", raising=False)

    def write(name: str, *rows: tuple[str, str], raw: str = "") -> Path:
        lines = [json.dumps({"text": text, "intent": intent}) + "\n" for text, intent in rows]
        Path(name).write_text("".join(lines) + raw, encoding="utf-8")
        return Path(name)

    return write


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["train", "banking", "--kind", "intent", *arguments])


def rows(labels: int = 2, each: int = 3) -> list[tuple[str, str]]:
    return [
        (f"text {number} of {label}", f"label_{label}") for label in range(labels) for number in range(each)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is nothing to learn: give rows with --data"),
        (["--labels", "labels.yml", "--dev", "other.jsonl"], "1 held-out intents have no training row"),
        (["--data", "none.jsonl"], "none.jsonl: no such file"),
        (["--data", "good.jsonl", "--data", "bad.jsonl"], "bad.jsonl:1: not valid JSON"),
        (["--data", "one.jsonl"], "training rows have 1 intents"),
        (["--data", "single.jsonl"], "no rows are held out"),
        (["--data", "good.jsonl", "--columns", "text=1,intent=2"], "--columns is for .csv and .tsv files"),
        (
            ["--data", "good.jsonl", "--oos", "one.jsonl"],
            "one.jsonl:1: intent is 'label_0' in a file of",
        ),
        (["--data", "good.jsonl", "--dev", "other.jsonl"], "1 held-out intents have no training row"),
        (
            ["--data", "good.jsonl", "--report", "none/report.html"],
            "report none/report.html cannot be written",
        ),
        (["--data", "good.jsonl", "--seed", "-1"], "seed is -1"),
        (["--data", "good.jsonl", "--set", "max_step=1"], "did you mean 'max_steps'?"),
        (["--data", "good.jsonl", "--set", "max_steps"], "'max_steps' is not KEY=VALUE"),
        (["--data", "good.jsonl", "--set", "zzz=1"], "settings are min_steps, max_steps"),
        (["--data", "good.jsonl", "--set", "seed=1"], "use --seed for that"),
        (["--data", "good.jsonl", "--set", "prompt-length=1"], "use --prompt-length for that"),
        (["--data", "good.jsonl", "--set", "scale=-1"], "scale is '-1'"),
    ],
)
def test_bad_input_ends_with_2_before_a_catalog_is_made(
    write: Write, arguments: list[str], message: str
) -> None:
    write("good.jsonl", *rows())
    write("bad.jsonl", raw="{nonsense\n")
    write("one.jsonl", *rows(labels=1))
    write("single.jsonl", *rows(each=1))
    write("other.jsonl", ("hello", "greeting"))
    write("labels.yml", raw="label_0: text of one kind\nlabel_1:\n")

    result = run(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert not Path("softspoken.db").exists()


SLOT_ROW = '{"text": "to Oslo", "slots": [{"slot": "city", "start": 3, "end": 7, "value": "Oslo"}]}\n'
ERROR_ROW = '{"text": "he go", "corrections": ["he goes"]}\n'


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("slots", ["--data", "good.jsonl"], "good.jsonl:1: slots are missing"),
        (
            "slots",
            ["--data", "slots.jsonl", "--columns", "text=1"],
            "--columns is for skills of kind intent,",
        ),
        ("slots", ["--data", "slots.jsonl", "--oos", "good.jsonl"], "kind intent and intent+slots, this one"),
        (
            "slots",
            ["--data", "slots.jsonl", "--method", "soft-prompt"],
            "--method is for skills of kind intent",
        ),
        (
            "grammar",
            ["--data", "errors.jsonl", "--from-peft", "."],
            "--from-peft is for skills of kind intent",
        ),
        (
            "grammar",
            ["--data", "errors.jsonl", "--slot-types", "x.toml"],
            "--slot-types is for skills of kind",
        ),
        ("slots", ["--data", "slots.jsonl", "--slot-types", "x.toml"], "x.toml: no such file"),
        ("slots", ["--data", "slots.jsonl", "--slot-types", "types.toml"], "slot types name 'town'"),
        ("slots", ["--data", "slots.jsonl", "--set", "scale=2"], "settings are min_steps"),
        ("slots", ["--data", "slots.jsonl", "--set", "context=on"], "did you mean 'contexts'?"),
        ("slots", ["--data", "slots.jsonl", "--set", "bare_share=2"], "bare_share is '2'"),
        ("intent+slots", ["--data", "slots.jsonl"], "1 rows have no intent: slots.jsonl:1"),
        ("grammar", ["--data", "slots.jsonl"], "slots.jsonl:1"),
        ("grammar", ["--data", "errors.jsonl"], "no held-out rows"),
    ],
)
def test_bad_input_of_other_kinds(write: Write, kind: str, arguments: list[str], message: str) -> None:
    write("good.jsonl", *rows())
    write("slots.jsonl", raw=SLOT_ROW)
    write("errors.jsonl", raw=ERROR_ROW)
    write("types.toml", raw='[town]\nkind = "text"\n')

    result = CliRunner().invoke(program, ["train", "banking", "--kind", kind, *arguments])

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not Path("softspoken.db").exists()


def test_files_of_slots_and_of_sentences_are_read_in_order(write: Write) -> None:
    slots = write("slots.jsonl", raw=SLOT_ROW + "nonsense\n")
    errors = write("errors.jsonl", raw=ERROR_ROW), write("more.tsv", raw="she go\tshe goes\n")

    found = LabeledFiles((slots,), skip_bad_rows=True).read_slots()
    sentences, skipped = LabeledFiles(errors).read_corrections()

    assert [(row.text, row.entities[0].slot) for row in found.utterances] == [("to Oslo", "city")]
    assert [error.row for error in found.skipped] == [2]
    assert [(each.text, each.corrections, each.file) for each in sentences] == [
        ("he go", ("he goes",), "errors.jsonl"),
        ("she go", ("she goes",), "more.tsv"),
    ]
    assert skipped == ()


def test_files_become_one_value(write: Write) -> None:
    rows = write("rows.yml", raw="nlu:\n- intent: go\n  examples: |\n    - to [Rome](town)\n    - [x\n")
    types = write("types.toml", raw='[town]\nkind = "text"\n')
    dev, oos = write("dev.jsonl", raw=SLOT_ROW), write("oos.jsonl", ("sing", "__oos__"), ("", "__oos__"))

    data, skipped = LabeledFiles((rows,), skip_bad_rows=True).training_data(
        SkillKind.JOINT, dev=[dev], oos=[oos], slot_types=types
    )

    assert [(row.place, row.text) for row in data.train] == [
        ("rows.yml:4", "to Rome"),
        ("oos.jsonl:1", "sing"),
    ]
    assert data.dev is not None
    assert [row.place for row in data.dev] == ["dev.jsonl:1"]
    assert (data.kind, set(data.slot_types)) == (SkillKind.JOINT, {"town"})
    assert [error.file for error in skipped] == ["rows.yml", "oos.jsonl"]
    assert LabeledFiles((dev,)).training_data(SkillKind.SLOTS)[0].dev is None


def test_skipped_rows_are_one_warning() -> None:
    errors = [DataError("bad", file="a", row=row) for row in range(1, 8)]

    assert skip_warnings(()) == []
    assert skip_warnings((errors[0],)) == ["bad rows, skipped (1): a:1: bad"]
    assert skip_warnings(tuple(errors))[0].startswith("bad rows, skipped (7): a:1: bad; a:2: bad;")
    assert skip_warnings(tuple(errors))[0].endswith("a:5: bad; and 2 more")


def test_several_files_are_read_in_order(write: Write) -> None:
    first, second = write("a.jsonl", ("one", "x")), write("b.csv", raw="said,meant\ntwo,y\n")

    found, skipped = LabeledFiles((first, second), "text=said,intent=meant").read()

    assert [(row.text, row.intent, row.file) for row in found] == [
        ("one", "x", "a.jsonl"),
        ("two", "y", "b.csv"),
    ]
    assert skipped == ()


def test_columns_hold_for_a_dev_file_alone(write: Write) -> None:
    train, dev = write("a.jsonl", ("one", "x")), write("dev.tsv", raw="x\ttwo\n")

    found, _ = LabeledFiles((train,), "text=2,intent=1").read([dev])

    assert [(row.text, row.intent) for row in found] == [("two", "x")]


def test_bad_rows_are_skipped_on_demand(write: Write) -> None:
    path = write("a.jsonl", ("one", "x"), ("", "y"), ("two", "y"))

    found, skipped = LabeledFiles((path,), skip_bad_rows=True).read()

    assert [row.text for row in found] == ["one", "two"]
    assert [error.row for error in skipped] == [2]
    with pytest.raises(DataError):
        LabeledFiles((path,)).read()


def test_out_of_scope_files_hold_nothing_else(write: Write) -> None:
    files = LabeledFiles(())

    found, _ = files.read_out_of_scope([write("oos.jsonl", ("peel a mango", "__oos__"))])

    assert [row.text for row in found] == ["peel a mango"]


def test_the_demo_without_the_source_tree_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run the demo from a clone"):
        demo.find_examples(tmp_path)


@pytest.mark.parametrize("name", ["intents", "slots", "grammar"])
def test_the_demo_asks_nothing_that_it_trained_on(name: str) -> None:
    lines = (demo.find_examples(ROOT) / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    trained = {json.loads(line)["text"] for line in lines}

    assert trained
    assert not [each.text for _, asked in demo.QUESTIONS for each in asked if each.text in trained]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (SkillKind.INTENT, set(TuningConfig.model_fields)),
        (SkillKind.SLOTS, set(SlotConfig.model_fields)),
        (SkillKind.JOINT, set(JointConfig.model_fields) - set(SlotConfig.model_fields)),
        (SkillKind.GRAMMAR, set(CorrectionConfig.model_fields)),
    ],
)
def test_the_manual_explains_every_setting_of_the_training(kind: SkillKind, shown: set[str]) -> None:
    manual = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = re.split(r"\n##+ ", manual.split(f"\n#### Kind {kind}\n")[1])[0]

    for name in shown:
        field = CONFIGS[kind].model_fields[name]
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert f"| `{name}` | {default} |" in section
        assert f"| {field.description} |" in section
    assert section.count("\n| `") == len(shown)
