"""Waiting for what other processes do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 200.0  # seconds, on a machine that is busy with something else

FoundT = TypeVar("FoundT")


def soon(find: Callable[[], FoundT | None]) -> FoundT:
    """Return what a function finds, once it finds something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")
