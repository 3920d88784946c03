"""JSON Lines: one `{"text": …, "intent": …}` a line, other keys ignored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from skills.errors import DataError
from skills.formats.row import Place, make_utterance
from skills.formats.source import Line, read_lines
from skills.utterance import Utterance

Row = TypeVar("Row")

INTENT_ROW = '{"text": "…", "intent": "…"}'


def read_jsonl(path: Path) -> Iterator[Utterance | DataError]:
    """Yield the rows of the file and, in their places, what is wrong with bad ones; pass over blank lines.

    Raises:
        DataError: the file cannot be read at all.
    """
    return read_records(path, INTENT_ROW, intent_row)


def read_records(
    path: Path, shape: str, make: Callable[[Place, dict[str, object]], Row]
) -> Iterator[Row | DataError]:
    """Yield what `make` makes of each line's object and, in their places, what is wrong with bad lines.

    Args:
        path: the file.
        shape: what a row looks like, for messages.
        make: makes a row of an object, or raises a DataError.

    Raises:
        DataError: the file cannot be read at all.
    """
    for line in read_lines(path):
        if line.text.strip():
            place = Place(str(path), line.number)
            try:
                yield make(place, parse_record(place, line, shape))
            except DataError as error:
                yield error


def intent_row(place: Place, record: dict[str, object]) -> Utterance:
    """Return the utterance of an object.

    Raises:
        DataError: as `make_utterance`.
    """
    return make_utterance(place, record.get("text"), record.get("intent"))


def intent_record(row: Utterance) -> dict[str, object]:
    """Return the object that `intent_row` reads."""
    return {"text": row.text, "intent": row.intent}


def parse_record(place: Place, line: Line, shape: str) -> dict[str, object]:
    """Return the object of a line; `shape` is what a row looks like, for messages.

    Raises:
        DataError: the line is not UTF-8, not JSON, or not an object.
    """
    if line.fault:
        raise place.error(line.fault)
    try:
        record = json.loads(line.text)
    except json.JSONDecodeError as error:
        raise place.error(
            f"not valid JSON ({error.msg} at character {error.colno}): write one {shape} on each line"
        ) from error
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        raise place.error(f"not a row ({error}): keep only {shape}") from error
    if not isinstance(record, dict):
        raise place.error(f"not a JSON object: write {shape}")
    return record
