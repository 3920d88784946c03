"""JSON Lines: one `{"text": …, "intent": …}` a line, other keys ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from skills.errors import DataError
from skills.formats.row import Place, make_utterance
from skills.formats.source import Line, read_lines
from skills.utterance import Utterance


def read_jsonl(path: Path) -> Iterator[Utterance | DataError]:
    """Yield the rows of the file and, in their places, what is wrong with bad ones; pass over blank lines.

    Raises:
        DataError: the file cannot be read at all.
    """
    for line in read_lines(path):
        if line.text.strip():
            yield _row(Place(str(path), line.number), line)


def _row(place: Place, line: Line) -> Utterance | DataError:
    if line.fault:
        return place.error(line.fault)
    try:
        record = json.loads(line.text)
    except json.JSONDecodeError as error:
        return place.error(
            f"not valid JSON ({error.msg} at character {error.colno}): "
            'write one {"text": "…", "intent": "…"} on each line'
        )
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        return place.error(f"not a row ({error}): keep only text and intent")
    if not isinstance(record, dict):
        return place.error('not a JSON object: write {"text": "…", "intent": "…"}')
    try:
        return make_utterance(place, record.get("text"), record.get("intent"))
    except DataError as error:
        return error
