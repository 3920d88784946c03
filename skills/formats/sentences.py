"""Sentences without labels: text, one a line, or JSON Lines with a "text"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skills.errors import DataError
from skills.formats.jsonl import read_records
from skills.formats.reader import MAX_ROWS, unknown_suffix
from skills.formats.row import Place, check_text
from skills.formats.source import read_lines

_ROW = '{"text": "…"}'
_JSONL = (".jsonl", ".ndjson")
_TEXT = ".txt"


def read_sentences(path: Path) -> tuple[str, ...]:
    """Return the sentences of a .txt file, one a line, or the texts of a .jsonl file, whatever else it has.

    Raises:
        DataError: the file is missing, unreadable, of another format, without sentences or over the limits;
            or a row is bad.
    """
    suffix = path.suffix.lower()
    if suffix != _TEXT and suffix not in _JSONL:
        raise unknown_suffix(path, (_TEXT, *_JSONL))
    sentences: list[str] = []
    for item in read_records(path, _ROW, _text) if suffix in _JSONL else _lines(path):
        if isinstance(item, DataError):
            raise item
        sentences.append(item)
        if len(sentences) > MAX_ROWS:
            raise DataError(f"more than {MAX_ROWS:,} rows: use a part of them", file=str(path))
    if not sentences:
        raise DataError("no sentences: write one a line", file=str(path))
    return tuple(sentences)


def _text(place: Place, record: dict[str, object]) -> str:
    return check_text(place, record.get("text"))


def _lines(path: Path) -> Iterator[str | DataError]:
    for line in read_lines(path):
        if line.text.strip():
            place = Place(str(path), line.number)
            try:
                yield place.error(line.fault) if line.fault else check_text(place, line.text)
            except DataError as error:
                yield error
