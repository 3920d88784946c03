"""Imports that cost little: commands start without what others need, and without looking for garbage."""

from __future__ import annotations

import gc
from collections import UserDict
from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any

import click


class LazyCommands(UserDict[str, Any]):
    """The commands of a group by name; one that is given as "module:attribute" is imported at first use."""

    def __getitem__(self, name: str) -> click.Command:
        found = self.data[name]
        command: click.Command = resolve_name(found) if isinstance(found, str) else found
        self.data[name] = command
        return command


@contextmanager
def large_imports() -> Iterator[None]:
    """Import what makes very many objects that all stay: the garbage collector is not to go through them."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
