"""Reads a file or folder of labeled utterances, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skills.errors import DataError, InputError
from skills.formats import rasa_yaml
from skills.formats.columns import Columns
from skills.formats.delimited import DELIMITERS, read_delimited
from skills.formats.jsonl import read_jsonl
from skills.formats.phrases import PhraseList
from skills.formats.rasa_yaml import read_rasa
from skills.utterance import Utterance

MAX_ROWS = 1_000_000
MAX_LABELS = 1_000

_JSONL = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class ReadResult:
    """What a file holds: utterances in order, lists of phrases, and the bad rows if they were skipped."""

    utterances: tuple[Utterance, ...]
    skipped: tuple[DataError, ...] = ()
    phrases: tuple[PhraseList, ...] = ()


def read_intents(path: Path, *, columns: Columns | None = None, skip_bad_rows: bool = False) -> ReadResult:
    """Read labeled utterances: JSON Lines, CSV, TSV, Rasa NLU YAML, or a folder of Rasa YAML, by the suffix.

    Raises:
        DataError: the file is missing, unreadable, of an unknown format, without rows or over the limits;
            or a row is bad, unless bad rows are skipped.
        InputError: columns were given for a format that has none.
    """
    utterances: list[Utterance] = []
    skipped: list[DataError] = []
    phrases: list[PhraseList] = []
    labels: set[str] = set()
    for item in _items(path, columns):
        if isinstance(item, PhraseList):
            phrases.append(item)
        elif isinstance(item, Utterance):
            utterances.append(item)
            labels.add(item.intent)
        elif skip_bad_rows:
            skipped.append(item)
        else:
            raise item
        _check_limits(path, len(utterances) + len(skipped) + len(phrases), len(labels))
    if not utterances and not skipped:
        raise DataError("no rows: every row needs a text and an intent", file=str(path))
    return ReadResult(tuple(utterances), tuple(skipped), tuple(phrases))


def _items(path: Path, columns: Columns | None) -> Iterator[Utterance | PhraseList | DataError]:
    suffix = path.suffix.lower()
    if suffix in DELIMITERS and not path.is_dir():
        return read_delimited(path, columns or Columns())
    if columns is not None:
        raise InputError(
            f"columns are for .csv and .tsv files, not for {path}: leave them out", field="columns"
        )
    if path.is_dir() or suffix in rasa_yaml.SUFFIXES:
        return read_rasa(path)
    if suffix in _JSONL:
        return read_jsonl(path)
    known = ", ".join((*_JSONL, *DELIMITERS, *rasa_yaml.SUFFIXES))
    raise DataError(
        f"unknown suffix {suffix!r}: use one of {known}, or a folder of Rasa YAML files", file=str(path)
    )


def _check_limits(path: Path, rows: int, labels: int) -> None:
    if rows > MAX_ROWS:
        raise DataError(f"more than {MAX_ROWS:,} rows: use a part of them", file=str(path))
    if labels > MAX_LABELS:
        raise DataError(
            f"more than {MAX_LABELS:,} intents: check that the intent column is not the text", file=str(path)
        )
