"""Reasons in the log, once a minute."""

from __future__ import annotations

import pytest

from nlu.client_errors import ClientError, DeadlineError, UnavailableError
from nlu.rasa.failure_log import INTERVAL, FailureLog


def test_each_kind_is_written_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    times = iter((0.0, 1.0, 2.0, 3.0, INTERVAL))
    log = FailureLog("nlu:50051", clock=lambda: next(times))
    errors: list[ClientError] = [
        UnavailableError("refused"),
        UnavailableError("refused"),
        DeadlineError("late"),
        UnavailableError("refused"),
        UnavailableError("gone"),
    ]
    for error in errors:
        log.write(error)
    assert caplog.messages == [
        "softspoken at nlu:50051: UnavailableError: refused",
        "softspoken at nlu:50051: DeadlineError: late",
        "softspoken at nlu:50051: UnavailableError: gone; 2 more since the last such line",
    ]
