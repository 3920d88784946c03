"""Reads a file or folder of labeled utterances, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skills.errors import DataError, InputError
from skills.formats import conll, rasa_yaml, snips
from skills.formats.columns import Columns
from skills.formats.conll import read_conll
from skills.formats.delimited import DELIMITERS, read_delimited
from skills.formats.jsonl import read_jsonl
from skills.formats.phrases import PhraseList
from skills.formats.rasa_yaml import read_rasa
from skills.formats.slot_row import check_slots
from skills.formats.slots_jsonl import read_slots_jsonl
from skills.formats.snips import read_snips
from skills.utterance import Utterance

MAX_ROWS = 1_000_000
MAX_LABELS = 1_000

Item = Utterance | PhraseList | DataError

_JSONL = (".jsonl", ".ndjson")


@dataclass(frozen=True)
class _Labels:
    """The labels of a row, of which there are few, and what to say if there are many."""

    of: Callable[[Utterance], Iterable[str]]
    fault: str


_INTENTS = _Labels(lambda row: (row.intent,), "intents: check that the intent column is not the text")
_SLOTS = _Labels(
    lambda row: (str(entity.label) for entity in row.entities),
    "slots, with roles and groups: check that the slot is not the value",
)


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
    result = _collected(path, _items(path, columns), _INTENTS, skip_bad_rows=skip_bad_rows)
    if not result.utterances and not result.skipped:
        raise DataError("no rows: every row needs a text and an intent", file=str(path))
    return result


def read_slots(path: Path, *, skip_bad_rows: bool = False) -> ReadResult:
    """Read utterances with slots: JSON Lines, CoNLL, Snips JSON, Rasa YAML or a folder of it, by the suffix.

    Entities are in order and do not overlap; the intent is "" where the data has none.

    Raises:
        DataError: the file is missing, unreadable, of an unknown format, without any slot or over the limits;
            or a row is bad, unless bad rows are skipped.
    """
    result = _collected(path, _slot_items(path), _SLOTS, skip_bad_rows=skip_bad_rows)
    rows = result.utterances
    if (rows or not result.skipped) and not any(row.entities for row in rows):
        raise DataError(
            f"none of {len(rows):,} rows has a slot: mark the values that the skill is to find",
            file=str(path),
        )
    return result


def _collected(path: Path, items: Iterator[Item], labels: _Labels, *, skip_bad_rows: bool) -> ReadResult:
    utterances: list[Utterance] = []
    skipped: list[DataError] = []
    phrases: list[PhraseList] = []
    seen: set[str] = set()
    for item in items:
        if isinstance(item, PhraseList):
            phrases.append(item)
        elif isinstance(item, Utterance):
            utterances.append(item)
            seen.update(labels.of(item))
        elif skip_bad_rows:
            skipped.append(item)
        else:
            raise item
        if len(utterances) + len(skipped) + len(phrases) > MAX_ROWS:
            raise DataError(f"more than {MAX_ROWS:,} rows: use a part of them", file=str(path))
        if len(seen) > MAX_LABELS:
            raise DataError(f"more than {MAX_LABELS:,} {labels.fault}", file=str(path))
    return ReadResult(tuple(utterances), tuple(skipped), tuple(phrases))


def _items(path: Path, columns: Columns | None) -> Iterator[Item]:
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
    raise unknown_suffix(path, (*_JSONL, *DELIMITERS, *rasa_yaml.SUFFIXES))


def _slot_items(path: Path) -> Iterator[Item]:
    suffix = path.suffix.lower()
    if path.is_dir() or suffix in rasa_yaml.SUFFIXES:
        return map(_with_exact_slots, read_rasa(path))
    if suffix in _JSONL:
        return read_slots_jsonl(path)
    if suffix in conll.SUFFIXES:
        return read_conll(path)
    if suffix in snips.SUFFIXES:
        return read_snips(path)
    raise unknown_suffix(path, (*_JSONL, *conll.SUFFIXES, *snips.SUFFIXES, *rasa_yaml.SUFFIXES))


def _with_exact_slots(item: Item) -> Item:
    try:
        return check_slots(item) if isinstance(item, Utterance) else item
    except DataError as error:
        return error


def unknown_suffix(path: Path, known: Iterable[str]) -> DataError:
    """Return the error for a file of a format that nobody here reads."""
    suffix, listed = path.suffix.lower(), ", ".join(known)
    return DataError(
        f"unknown suffix {suffix!r}: use one of {listed}, or a folder of Rasa YAML files", file=str(path)
    )
