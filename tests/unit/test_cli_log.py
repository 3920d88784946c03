from __future__ import annotations

import json
import logging
import os
import pty
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from nlu.request_id import begin_request
from training.cli.log import set_up_log


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Put the root logger back as it was."""
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield
    logging.basicConfig(level=level, handlers=handlers, force=True)


@pytest.mark.parametrize("form", ["auto", "json"])
def test_elsewhere_than_on_a_terminal_a_line_is_an_object(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    set_up_log("info", form)
    logging.getLogger("a.b").debug("unseen")
    logging.getLogger("a.b").info("%s done", 1, extra={"method": "Parse", "code": "OK"})
    line: dict[str, Any] = json.loads(capsys.readouterr().err)
    age = datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))
    assert abs(age.total_seconds()) < 60
    assert line == {"level": "INFO", "logger": "a.b", "message": "1 done", "method": "Parse", "code": "OK"}


def test_a_line_has_the_id_of_its_request_and_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("info", "json")
    begin_request(["abc"])
    logging.getLogger().error("line\nbreak", exc_info=ZeroDivisionError("the cause"))
    [written_line] = capsys.readouterr().err.splitlines()
    line = json.loads(written_line)
    assert (line["request_id"], line["message"]) == ("abc", "line\nbreak")
    assert line["exception"].endswith("ZeroDivisionError: the cause")


def test_pretty_is_plain_text_where_there_are_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_log("warning", "pretty")
    logging.getLogger("a.b").info("unseen")
    logging.getLogger("a.b").warning("seen")
    assert capsys.readouterr().err.endswith(" WARNING a.b: seen\n")


def test_a_terminal_is_pretty(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        set_up_log("info", "auto")
        logging.getLogger().info("seen")
        shown = os.read(reader, 1000).decode()
    os.close(reader)
    assert "INFO" in shown and "seen" in shown and "{" not in shown
