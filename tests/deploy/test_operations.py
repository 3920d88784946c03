"""docs/operations.md names options that there are, and all of those that one can turn."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from training.cli.program import program


def options(*names: str) -> set[str]:
    return {
        option
        for name in names
        for each in program.commands[name].params
        if isinstance(each, click.Option)
        for option in each.opts
    }


@pytest.mark.parametrize("name", ["serve", "worker"])
def test_every_option_is_explained(root: Path, name: str) -> None:
    text = (root / "docs/operations.md").read_text()
    table = text.partition(f"| option of `{name}` |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(--[a-z-]+)`", table))
    shared = options("serve") & options("worker")  # explained once
    assert named <= options(name)
    assert options(name) - named <= (shared if name == "worker" else set())
