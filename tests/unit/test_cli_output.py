from __future__ import annotations

import io
import json
import re
import sys

import pytest

from nlu.client_types import Intent, Outcome, ParseResult, SkillKind, SkillResult, SkillVersion, Timings
from skills.job import JobProgress
from training.cli.answers import answers_document, answers_table
from training.cli.output import Table, cell, percent, print_error, print_json, print_message, print_table
from training.cli.progress import clock, training_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put standard output and error on one terminal with colours."""
    screen = Terminal()
    for variable in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    return screen


def make_table() -> Table:
    long = "x" * 300
    return Table(("name", "value"), [(cell("a", "green"), cell(1)), (cell(long), cell("b"))])


def make_result(outcome: Outcome = Outcome.MATCHED, confidence: float = 0.75) -> ParseResult:
    answer = SkillResult(
        SkillVersion("banking", 3, "f" * 64),
        SkillKind.INTENT,
        outcome,
        (Intent("freeze_card", confidence), Intent("check_balance", 1 - confidence)),
        0.9,
    )
    return ParseResult("r1", (answer,), (0, 5), "b" * 64, Timings(1, 2, 3, 4))


def test_a_table_in_a_pipe_is_plain_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(make_table())

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "name" + " " * 298 + "value"
    assert lines[1] == "a" + " " * 301 + "1"
    assert lines[2] == "x" * 300 + "  b"


def test_a_table_on_a_terminal_is_coloured_and_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    print_table(make_table())

    shown = terminal.getvalue()
    assert "\x1b[32ma" in shown
    assert "x" * 121 not in shown


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\x07b", "a\nb", "a\x9bb", "a\rb"])
def test_texts_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    terminal = make_terminal(monkeypatch)
    print_table(Table(("text",), [(cell(text),)]))
    print_error(text)

    shown = terminal.getvalue()
    assert text not in shown
    assert "a\N{REPLACEMENT CHARACTER}" in shown


def test_markup_of_a_text_is_only_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    print_message("[bold]fly to [NYC](city)[/bold]")

    assert "[bold]fly to [NYC](city)[/bold]" in terminal.getvalue()


def test_messages_go_to_standard_error_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("no such\n  file")

    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "error: no such file\n")


def test_an_error_is_red_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    print_error("no")

    assert terminal.getvalue() == "\x1b[1;31merror: \x1b[0mno\n"


def test_json_is_one_document_of_readable_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": "naïve 🙂"})

    out = capsys.readouterr().out
    assert json.loads(out) == {"text": "naïve 🙂"}
    assert "🙂" in out


@pytest.mark.parametrize(("share", "text"), [(None, "-"), (0.0, "0.0 %"), (0.9876, "98.8 %"), (1, "100.0 %")])
def test_percent(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "60:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_answers_in_a_pipe_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(answers_table(["lost my card"], [make_result()]))

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "lost my card  banking@3  matched  freeze_card 0.750, check_balance 0.250"


@pytest.mark.parametrize(
    ("confidence", "bar"),
    [
        (1.0, "████████████ 100.0 %  freeze_card"),
        (0.75, "█████████     75.0 %  freeze_card"),
        (0.55, "██████▋       55.0 %  freeze_card"),
        (0.0, "               0.0 %  freeze_card"),
    ],
)
def test_answers_on_a_terminal_have_bars(
    monkeypatch: pytest.MonkeyPatch, confidence: float, bar: str
) -> None:
    make_terminal(monkeypatch)
    table = answers_table(["lost my card"], [make_result(confidence=confidence)])

    assert table.rows[0][3].plain.splitlines()[0] == bar
    assert len({line.index("%") for line in table.rows[0][3].plain.splitlines()}) == 1


def test_answers_as_json_hold_everything() -> None:
    (answer,) = json.loads(json.dumps(answers_document(["hi"], [make_result(Outcome.OUT_OF_SCOPE)])))

    assert (answer["text"], answer["request_id"], answer["read"]) == ("hi", "r1", [0, 5])
    result = answer["results"][0]
    assert (result["outcome"], result["kind"], result["skill"]["version"]) == ("out-of-scope", "intent", 3)
    assert result["ranking"][0] == {"name": "freeze_card", "confidence": 0.75}


def report(*runs: str, quiet: bool = False, steps: int = 40) -> None:
    with training_progress(quiet=quiet) as on_progress:
        for run in runs:
            for step in range(1, steps + 1):
                accuracy = 0.5 if step > steps // 2 else None
                left = float(steps - step)
                on_progress(JobProgress(run, step, steps, 1.25, accuracy, "accuracy", left))


def test_progress_elsewhere_is_a_line_every_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    report("tune", "refit")

    written = capsys.readouterr()
    lines = written.err.splitlines()
    assert (written.out, len(lines)) == ("", 20)
    assert lines[0] == "training: 10 % (4/40 steps), loss 1.250, 0:36 left"
    assert lines[9] == "training: 100 % (40/40 steps), loss 1.250, dev accuracy 50.0 %, 0:00 left"
    assert lines[10].startswith("training on all rows: 10 %")


def test_progress_of_few_steps_repeats_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    report("tune", steps=3)

    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_run_that_stopped_early_says_so_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)

    with training_progress(quiet=False) as on_progress:
        on_progress(JobProgress("tune", 3, 40, 1.25, 0.5, "accuracy", 9.0))
        on_progress(JobProgress("refit", 40, 40, 1.25))

    assert "3/40 stopped early" in re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = make_terminal(monkeypatch)
    report("tune", "refit")

    shown = terminal.getvalue()
    assert "40/40" in shown
    assert "dev accuracy 50.0 %" in shown
    assert "training on all rows" in shown


def test_quiet_progress_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    report("tune", quiet=True)

    assert capsys.readouterr() == ("", "")
