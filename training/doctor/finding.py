"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # a server starts, but not as it should
    PROBLEM = "problem"  # a server does not start, or does not do its work


@dataclass(frozen=True)
class Finding:
    """One line of the table."""

    check: str
    state: State
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Say that all is well."""
    return Finding(check, State.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Say what could be better, and how."""
    return Finding(check, State.WARNING, found, remedy)


def problem(check: str, found: str, remedy: str = "") -> Finding:
    """Say what is wrong, and what helps; messages of our errors say both."""
    return Finding(check, State.PROBLEM, found, remedy)
