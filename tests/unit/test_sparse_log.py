"""Reasons in the log, once a minute."""

from __future__ import annotations

import logging

import pytest

from nlu.sparse_log import INTERVAL, SparseLog


def test_each_reason_is_written_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    times = iter((0.0, 1.0, 2.0, 3.0, INTERVAL))
    log = SparseLog(logging.getLogger("tests"), clock=lambda: next(times))
    said = [("down", "refused"), ("down", "refused"), ("slow", "2 s"), ("down", "refused"), ("down", "gone")]
    for reason, detail in said:
        log.warning(reason, "%s: %s", reason, detail)
    assert caplog.messages == ["down: refused", "slow: 2 s", "down: gone; 2 more since the last such line"]
