"""Slot types as a document: JSON beside a stored skill, TOML when a user writes them.

[departure]                     # the name of a slot
kind = "date"                   # text, list, number, amount, date, time, datetime or duration

[city]
kind = "list"
values = { "New York" = ["NYC", "big apple"], Rome = [] }

[flight_number]
patterns = ['[A-Z][A-Z0-9] ?[0-9]{2,4}']
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skills.errors import DataError, InputError
from skills.formats.source import read_text
from skills.resolution.slot_type import SlotSchema, SlotType, ValueKind
from skills.slot import check_slot_name

_KEYS = ("kind", "values", "patterns")


def schema_document(schema: SlotSchema) -> dict[str, Any]:
    """Return the schema as JSON has it; `read_schema_document` reads it."""
    return {
        slot: {
            "kind": str(each.kind),
            "values": {value: list(synonyms) for value, synonyms in each.values.items()},
            "patterns": list(each.patterns),
        }
        for slot, each in schema.items()
    }


def read_schema_document(document: Mapping[str, Any]) -> dict[str, SlotType]:
    """Return the slot types of a document.

    Raises:
        InputError: it is not well-formed; names the slot.
    """
    schema = {}
    for slot, content in document.items():
        try:
            schema[check_slot_name(slot)] = _slot_type(content)
        except InputError as error:
            raise InputError(f"slot type {slot!r}: {error}", field="slot_types") from error
    return schema


def read_schema(path: Path) -> dict[str, SlotType]:
    """Read slot types from a TOML file.

    Raises:
        DataError: the file cannot be read, is not TOML, or is not well-formed; names the slot.
    """
    text = read_text(path)
    try:
        return read_schema_document(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise DataError(f"not valid TOML ({error}): mend the file", file=str(path)) from error
    except InputError as error:
        raise DataError(str(error), file=str(path), field=error.field) from error


def _slot_type(content: object) -> SlotType:
    if not isinstance(content, dict):
        raise InputError('is not a table: write [SLOT] and below it kind = "…"')
    if unknown := sorted(set(content) - set(_KEYS)):
        raise InputError(f"has the key {unknown[0]!r}, known are {', '.join(_KEYS)}")
    return SlotType(
        kind=_kind(content.get("kind", ValueKind.TEXT)),
        values=_values(content.get("values", {})),
        patterns=_strings(content.get("patterns", []), "patterns"),
    )


def _kind(value: object) -> ValueKind:
    kinds = [str(kind) for kind in ValueKind]
    if value not in kinds:
        raise InputError(f"kind is {value!r}, known are {', '.join(kinds)}")
    return ValueKind(str(value))


def _values(content: object) -> dict[str, tuple[str, ...]]:
    """Return synonyms by value, of a table or of a list of values without synonyms."""
    if isinstance(content, dict):
        return {value: _strings(synonyms, f"synonyms of {value!r}") for value, synonyms in content.items()}
    return {value: () for value in _strings(content, "values")}


def _strings(content: object, what: str) -> tuple[str, ...]:
    if not isinstance(content, list | tuple) or not all(isinstance(each, str) for each in content):
        raise InputError(f'{what} are not a list of strings: write ["…", "…"]')
    return tuple(content)
