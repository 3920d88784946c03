"""What manifests start is read by the command line itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click
import pytest

from training.cli.options import Setting
from training.cli.program import program

CheckCommand: TypeAlias = Callable[[Sequence[str], Mapping[str, str]], dict[str, Any]]


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture
def check_command() -> CheckCommand:
    """Return a function that reads a command and its variables, and returns the options; nothing is run."""

    def check(arguments: Sequence[str], variables: Mapping[str, str]) -> dict[str, Any]:
        assert {name for name in variables if name.startswith("SOFTSPOKEN_")} <= known_variables()
        command: click.Command = program
        left = list(arguments)
        while isinstance(command, click.Group):
            command = command.commands[left.pop(0)]
        return command.make_context(command.name, left).params

    return check


def known_variables() -> set[str]:
    names = {
        option.envvar or "_".join(("SOFTSPOKEN", *path, option.name or "")).upper()
        for path, command in commands(program)
        for option in command.params
        if isinstance(option, Setting)
    }
    return {f"{name}{end}" for name in names for end in ("", "_FILE")}


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
