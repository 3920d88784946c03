"""CSV and TSV, quoted as spreadsheets do (RFC 4180)."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skills.errors import DataError
from skills.formats.columns import Columns
from skills.formats.row import Place, make_utterance
from skills.formats.source import read_lines
from skills.utterance import Utterance

DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class _Record:
    """The cells of one record, which may span lines; `fault` says why they cannot be used."""

    row: int
    cells: list[str]
    fault: str = ""


@dataclass(frozen=True)
class _Layout:
    """Where the fields are, from 0, and how many cells each record has."""

    text: int
    intent: int
    width: int


def read_delimited(path: Path, columns: Columns) -> Iterator[Utterance | DataError]:
    """Yield the rows of the file and, in their places, what is wrong with bad ones; pass over empty lines.

    A header is expected unless both columns are numbers.

    Raises:
        DataError: the file cannot be read at all, or lacks a column.
    """
    records = _records(path)
    first = next(records, None)
    if first is None:
        return
    place = Place(str(path), first.row)
    if first.fault:
        raise place.error(first.fault)
    layout = _layout(first.cells, columns, place)
    if columns.numbered and not _is_header(first.cells, layout):
        yield _row(place, first, layout)
    for record in records:
        yield _row(Place(str(path), record.row), record, layout)


def _records(path: Path) -> Iterator[_Record]:
    faults: dict[int, str] = {}

    def lines() -> Iterator[str]:
        for line in read_lines(path):
            if line.fault:
                faults[line.number] = line.fault
            yield line.text

    reader = csv.reader(lines(), delimiter=DELIMITERS[path.suffix.lower()], strict=True)
    while True:
        row = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _Record(
                row,
                [],
                f"not valid {path.suffix[1:].upper()} ({error}): close every quote, "
                'and write a quote inside a quoted cell as ""',
            )
            continue
        fault = next((faults.pop(n) for n in range(row, reader.line_num + 1) if n in faults), "")
        if cells or fault:
            yield _Record(row, cells, fault)


def _row(place: Place, record: _Record, layout: _Layout) -> Utterance | DataError:
    if record.fault:
        return place.error(record.fault)
    if len(record.cells) != layout.width:
        return place.error(
            f"number of columns is {len(record.cells)}, on the first line {layout.width}: "
            "put a cell that holds the delimiter or a line break in double quotes"
        )
    try:
        return make_utterance(place, record.cells[layout.text], record.cells[layout.intent])
    except DataError as error:
        return error


def _layout(cells: list[str], columns: Columns, place: Place) -> _Layout:
    return _Layout(_position(cells, columns.text, place), _position(cells, columns.intent, place), len(cells))


def _position(cells: list[str], column: str | int, place: Place) -> int:
    if isinstance(column, int):
        if column > len(cells):
            raise place.error(f"no column {column}: the first line has {len(cells)}", field="columns")
        return column - 1
    names = [cell.strip().casefold() for cell in cells]
    found = names.count(column.casefold())
    if found != 1:
        known = ", ".join(repr(cell.strip()[:40]) for cell in cells[:20])
        raise place.error(
            f"{found or 'no'} columns are called {column!r} in the header ({known}): name them with "
            "--columns text=NAME,intent=NAME, or by number (text=2,intent=1) if the file has no header",
            field="columns",
        )
    return names.index(column.casefold())


def _is_header(cells: list[str], layout: _Layout) -> bool:
    names = cells[layout.text].strip().casefold(), cells[layout.intent].strip().casefold()
    return names == ("text", "intent")
