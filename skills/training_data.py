"""What a skill is trained on, as one value: stored once, it can be trained on anywhere.

Its bytes are JSON Lines. The first line says what follows; then each row is a line of the JSON Lines that
files of its kind have (docs/cli.md), and beside that its split, "train" or "dev":

    {"format": 1, "kind": "slots", "train": 1, "dev": null, "phrases": [], "slot_types": {}}
    {"text": "to Oslo", "slots": [{"slot": "city", "start": 3, "end": 7, "value": "Oslo"}], "split": "train"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from skills.correction import CorrectedSentence
from skills.errors import DataError, InputError
from skills.formats.corrections import CORRECTION_ROW, correction_record, correction_row
from skills.formats.jsonl import INTENT_ROW, intent_record, intent_row, parse_record
from skills.formats.labels import label_of
from skills.formats.phrases import PhraseKind, PhraseList
from skills.formats.reader import MAX_LABELS, MAX_ROWS
from skills.formats.row import Place, check_label, json_type
from skills.formats.slots_jsonl import SLOT_ROW, slot_record, slot_row
from skills.formats.source import MAX_BYTES, Line, decode_lines
from skills.resolution import SlotSchema, read_schema_document, schema_document
from skills.skill import SkillKind
from skills.utterance import Utterance

FILE = "training data"  # the file of rows that were read from bytes

Row = Utterance | CorrectedSentence

_FORMAT = 1
_SPLITS = ("train", "dev")
_HEADER = '{"format": 1, "kind": "…", "train": 2, "dev": null, "phrases": [], "slot_types": {}}'
_PHRASES = '{"kind": "synonym", "name": "…", "phrases": ["…"]}'


@dataclass(frozen=True)
class TrainingData:
    """Rows of one kind of skill; corrected sentences of a grammar skill, utterances of the others.

    Args:
        kind: of the skill. Of rows of an intent skill, text and intent count.
        train: rows to train on, those out of scope, labeled `__oos__`, among them.
        dev: held-out rows; None: a share of the others is held out.
        phrases: lists of phrases that Rasa files have beside the rows.
        slot_types: what values of slots resolve to.
        descriptions: of labels of intents, in words; "" for a name alone.

    Raises:
        InputError: there are more rows or more labels than are allowed.
    """

    kind: SkillKind
    train: tuple[Row, ...]
    dev: tuple[Row, ...] | None = None
    phrases: tuple[PhraseList, ...] = ()
    slot_types: SlotSchema = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = (*self.train, *(self.dev or ()))
        utterances = [row for row in rows if isinstance(row, Utterance)]
        _check_number("rows", len(rows), MAX_ROWS)
        intents = {*self.descriptions, *(row.intent for row in utterances)}
        _check_number("intents", len(intents), MAX_LABELS)
        _check_number("slots", len({each.label for row in utterances for each in row.entities}), MAX_LABELS)

    def to_bytes(self) -> bytes:
        """Return it as bytes, the same for the same rows wherever they were read; where that was is lost."""
        write = _FORMATS[self.kind].write
        header = {
            "format": _FORMAT,
            "kind": str(self.kind),
            "train": len(self.train),
            "dev": None if self.dev is None else len(self.dev),
            "phrases": [
                {"kind": str(each.kind), "name": each.name, "phrases": list(each.phrases)}
                for each in self.phrases
            ],
            "slot_types": schema_document({slot: self.slot_types[slot] for slot in sorted(self.slot_types)}),
        }
        if self.descriptions:
            header["descriptions"] = dict(sorted(self.descriptions.items()))
        rows = (
            {**write(row), "split": split}
            for split, rows in zip(_SPLITS, (self.train, self.dev or ()), strict=True)
            for row in rows
        )
        return b"".join(map(_line, (header, *rows)))

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainingData:
        """Read what `to_bytes` returned; the places of rows are lines of these bytes.

        Raises:
            DataError: the bytes are too many, cut off, or not in the format; names the line.
            InputError: as the class.
        """
        if len(data) > MAX_BYTES:
            raise DataError(f"{len(data):,} bytes, at most {MAX_BYTES:,} are allowed: use a part", file=FILE)
        lines = decode_lines(BytesIO(data))
        place = Place(FILE, 1)
        header = parse_record(place, next(lines, Line(1, "")), _HEADER)
        kind = _kind(place, header)
        train, dev = _rows(lines, _FORMATS[kind])
        is_held_out = header.get("dev") is not None
        if (header.get("train"), header.get("dev") or 0) != (len(train), len(dev)):
            raise place.error(
                f"rows are {header.get('train')} to train on and {header.get('dev') or 0} held out, but "
                f"{len(train)} and {len(dev)} follow: the data was cut off or changed, send it again"
            )
        return cls(
            kind,
            tuple(train),
            tuple(dev) if is_held_out else None,
            tuple(_phrase_list(place, each) for each in _list(place, header.get("phrases"), "phrases")),
            _slot_types(place, header.get("slot_types")),
            _descriptions(place, header.get("descriptions", {})),
        )


@dataclass(frozen=True)
class _RowFormat:
    """How a row is written as an object, and read again."""

    shape: str
    read: Callable[[Place, dict[str, object]], Any]
    write: Callable[[Any], dict[str, object]]


_FORMATS = {
    SkillKind.INTENT: _RowFormat(INTENT_ROW, intent_row, intent_record),
    SkillKind.SLOTS: _RowFormat(SLOT_ROW, slot_row, slot_record),
    SkillKind.JOINT: _RowFormat(SLOT_ROW, slot_row, slot_record),
    SkillKind.GRAMMAR: _RowFormat(CORRECTION_ROW, correction_row, correction_record),
}


def _check_number(what: str, number: int, most: int) -> None:
    if number > most:
        raise InputError(f"{number:,} {what}, at most {most:,} are allowed: use a part of them", field="data")


def _line(record: dict[str, object]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _kind(place: Place, header: dict[str, object]) -> SkillKind:
    if (version := header.get("format")) != _FORMAT:
        raise place.error(
            f"format is {version!r}, this program reads {_FORMAT}: "
            "use the same version of it to submit and to train",
            field="format",
        )
    kinds = [str(kind) for kind in SkillKind]
    if (kind := header.get("kind")) not in kinds:
        raise place.error(f"kind is {kind!r}, known are {', '.join(kinds)}", field="kind")
    return SkillKind(str(kind))


def _rows(lines: Iterable[Line], format: _RowFormat) -> Sequence[list[Any]]:
    """Return rows to train on and held-out rows."""
    rows: dict[str, list[Any]] = {split: [] for split in _SPLITS}
    for line in lines:
        place = Place(FILE, line.number)
        record = parse_record(place, line, format.shape)
        split = record.get("split")
        if not isinstance(split, str) or split not in rows:
            raise place.error(f"split is {split!r}: write {' or '.join(_SPLITS)}", field="split")
        rows[split].append(format.read(place, record))
    return [rows[split] for split in _SPLITS]


def _phrase_list(place: Place, content: object) -> PhraseList:
    if not isinstance(content, dict) or content.get("kind") not in [str(kind) for kind in PhraseKind]:
        raise place.error(f"a list of phrases is {str(content)[:60]}: write {_PHRASES}", field="phrases")
    name = check_label(place, content.get("name"), "name")
    phrases = _list(place, content.get("phrases"), "phrases")
    if not all(isinstance(phrase, str) for phrase in phrases):
        raise place.error(f"phrases of {name!r} are not all strings: write {_PHRASES}", field="phrases")
    return PhraseList(PhraseKind(content["kind"]), name, tuple(map(str, phrases)))


def _slot_types(place: Place, content: object) -> SlotSchema:
    if not isinstance(content, dict):
        raise place.error(f"slot types are {json_type(content)}: write {_HEADER}", field="slot_types")
    try:
        return read_schema_document(content)
    except InputError as error:
        raise place.error(str(error), field=error.field) from error


def _descriptions(place: Place, content: object) -> dict[str, str]:
    if not isinstance(content, dict):
        raise place.error(f"descriptions are {json_type(content)}: write an object", field="descriptions")
    rows = (label_of(place, {"intent": label, "description": text}) for label, text in content.items())
    return {row.intent: row.text for row in rows}


def _list(place: Place, value: object, field: str) -> list[object]:
    if not isinstance(value, list):
        raise place.error(f"{field} is {json_type(value)}: write a list", field=field)
    return value
