"""Sentences with their corrections: JSON Lines, TSV, or M2 as ERRANT writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skills.correction import CorrectedSentence
from skills.errors import DataError
from skills.formats.jsonl import read_records
from skills.formats.m2 import read_m2
from skills.formats.reader import MAX_ROWS, unknown_suffix
from skills.formats.row import Place, check_text, json_type
from skills.formats.source import Line, read_lines

MAX_CORRECTIONS = 100  # of one sentence

CORRECTION_ROW = '{"text": "…", "corrections": ["…"]}'
_HEADER = ("text", "correction")


@dataclass(frozen=True)
class CorrectionsRead:
    """What a file holds: sentences in order, and the bad rows if they were skipped."""

    sentences: tuple[CorrectedSentence, ...]
    skipped: tuple[DataError, ...] = ()


def read_corrections(path: Path, *, skip_bad_rows: bool = False) -> CorrectionsRead:
    """Read sentences and their corrections; a right sentence has itself as its only correction.

    The suffix says how: .jsonl has `{"text": …, "corrections": […]}` on each line; .tsv has the text and one
    or more corrections, tabs between them, nothing quoted; .m2 has the edits of one or more annotators.

    Raises:
        DataError: the file is missing, unreadable, of an unknown format, without rows or over the limits;
            or a row is bad, unless bad rows are skipped.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise unknown_suffix(path, _READERS)
    sentences: list[CorrectedSentence] = []
    skipped: list[DataError] = []
    for item in reader(path):
        if isinstance(item, CorrectedSentence):
            sentences.append(item)
        elif skip_bad_rows:
            skipped.append(item)
        else:
            raise item
        if len(sentences) + len(skipped) > MAX_ROWS:
            raise DataError(f"more than {MAX_ROWS:,} rows: use a part of them", file=str(path))
    if not sentences and not skipped:
        raise DataError("no rows: every row needs a text and its corrections", file=str(path))
    return CorrectionsRead(tuple(sentences), tuple(skipped))


def _read_jsonl(path: Path) -> Iterator[CorrectedSentence | DataError]:
    return read_records(path, CORRECTION_ROW, correction_row)


def correction_row(place: Place, record: dict[str, object]) -> CorrectedSentence:
    """Return the sentence of an object.

    Raises:
        DataError: the text or a correction is missing, of the wrong type, blank, too long or not valid
            Unicode; or there are too many corrections.
    """
    return _sentence(place, record.get("text"), record.get("corrections"))


def correction_record(row: CorrectedSentence) -> dict[str, object]:
    """Return the object that `correction_row` reads."""
    return {"text": row.text, "corrections": list(row.corrections)}


def _read_tsv(path: Path) -> Iterator[CorrectedSentence | DataError]:
    for line in read_lines(path):
        cells = line.text.rstrip("\r\n").split("\t")
        if not line.text.strip() or (line.number == 1 and _is_header(cells)):
            continue
        try:
            yield _of_cells(Place(str(path), line.number), line, cells)
        except DataError as error:
            yield error


def _is_header(cells: list[str]) -> bool:
    return tuple(cell.strip().casefold().removesuffix("s") for cell in cells[:2]) == _HEADER


def _of_cells(place: Place, line: Line, cells: list[str]) -> CorrectedSentence:
    if line.fault:
        raise place.error(line.fault)
    while len(cells) > 1 and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) < 2:
        raise place.error(
            "line has no correction: write the text, a tab and its correction (if it is right: the text)",
            field="corrections",
        )
    return _sentence(place, cells[0], cells[1:])


def _sentence(place: Place, text: object, corrections: object) -> CorrectedSentence:
    stripped = check_text(place, text)
    if corrections is None or corrections == []:
        raise place.error(
            f"corrections are missing: write {CORRECTION_ROW}, with the text itself if it is right",
            field="corrections",
        )
    if not isinstance(corrections, list):
        raise place.error(
            f"corrections is {json_type(corrections)}: write {CORRECTION_ROW}", field="corrections"
        )
    if len(corrections) > MAX_CORRECTIONS:
        raise place.error(
            f"{len(corrections):,} corrections, at most {MAX_CORRECTIONS} are allowed: keep the best",
            field="corrections",
        )
    right = tuple(dict.fromkeys(check_text(place, each, "correction") for each in corrections))
    return CorrectedSentence(stripped, right, place.file, place.row)


def _read_m2(path: Path) -> Iterator[CorrectedSentence | DataError]:
    for item in read_m2(path):
        if isinstance(item, DataError):
            yield item
            continue
        try:
            yield _sentence(item.place, item.text, list(item.corrections))
        except DataError as error:
            yield error


_READERS: dict[str, Callable[[Path], Iterator[CorrectedSentence | DataError]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".tsv": _read_tsv,
    ".m2": _read_m2,
}
