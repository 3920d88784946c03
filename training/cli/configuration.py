"""The file softspoken.toml: defaults for options, under their own names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from skills.errors import InputError
from training.cli.options import SharedSetting

DEFAULT_FILE = Path("softspoken.toml")  # in the working directory


@dataclass(frozen=True)
class Target:
    """An option and the commands to it: ("skills", "list")."""

    commands: tuple[str, ...]
    option: click.Option


def read_configuration(path: Path, program: click.Group) -> dict[str, Any]:
    """Return the file's values as click's default map, by command.

    Raises:
        InputError: the file cannot be read, is not TOML, or has a key that is no option or a value of a
            type that no option has.
    """
    known = _keys(program)
    defaults: dict[str, Any] = {}
    for key, value in _flattened(_load(path), known):
        if key not in known:
            raise InputError(f"{path}: unknown key {key!r}; {_advice(key, known)}", field=key)
        for target in known[key]:
            table = defaults
            for command in target.commands:
                table = table.setdefault(command, {})
            table[target.option.name or ""] = _value(path, key, value, target.option)
    return defaults


def _load(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}): check --config", field="config"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8", field="config"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}", field="config") from error


def _keys(program: click.Group) -> dict[str, list[Target]]:
    """Return every key that a file may have, and the options that it sets."""
    known: dict[str, list[Target]] = {}
    for commands, command in _commands(program, ()):
        for option in command.params:
            if isinstance(option, click.Option) and option.name:
                shared = isinstance(option, SharedSetting)
                key = option.name if shared else ".".join((*commands, option.name))
                known.setdefault(key, []).append(Target(commands, option))
    return known


def _commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _flattened(
    table: Mapping[str, Any], known: Mapping[str, object], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and their values; a table is a value where an option takes one."""
    for name, value in table.items():
        place = (*path, name.replace("-", "_"))
        key = ".".join(place)
        if isinstance(value, dict) and key not in known:
            if not value and not any(other.startswith(f"{key}.") for other in known):
                yield key, value  # an empty table of no command
            yield from _flattened(value, known, place)
        else:
            yield key, value


def _value(path: Path, key: str, value: Any, option: click.Option) -> Any:
    """Return the value as click takes it: repeated options as a list, assignments as `key=value`."""
    items = value
    if option.multiple and isinstance(value, dict):
        items = [f"{name}={_text(item)}" for name, item in value.items()]
    elif not isinstance(value, list):
        items = [value]
    scalar = all(isinstance(item, (str, int, float)) for item in items)
    if not scalar or (isinstance(value, (dict, list)) and not option.multiple):
        wanted = (
            "a string, a number, a truth value, or a list of them" if option.multiple else "a single value"
        )
        raise InputError(f"{path}: {key} is {value!r}: write {wanted}", field=key)
    return items if option.multiple else value


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _advice(key: str, known: Mapping[str, object]) -> str:
    import difflib

    name = key.rpartition(".")[2]
    same = [each for each in known if each.rpartition(".")[2] == name]
    close = same or difflib.get_close_matches(key, known, n=1) or difflib.get_close_matches(name, known, n=1)
    if close:
        return "did you mean " + " or ".join(repr(each) for each in close[:3]) + "?"
    return "keys are the names of the options, those of one command in its table: see docs/cli.md"
