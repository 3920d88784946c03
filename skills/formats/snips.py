"""Snips JSON, of both kinds: the data sets of snips-nlu, and those of the 2017 NLU benchmark.

A benchmark file is `{"INTENT": [{"data": [{"text": …, "entity": …}]}]}`; a data set has them under "intents"
and "utterances", and beside them "entities" with values and synonyms (https://snips-nlu.readthedocs.io,
"Training Dataset Format"). JSON has no lines worth naming, so places read `FILE#INTENT:NUMBER`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from skills.errors import DataError
from skills.formats.phrases import PhraseKind, PhraseList
from skills.formats.row import Place, check_label, json_type
from skills.formats.slot_row import check_name, make_slot_row
from skills.formats.source import read_text
from skills.utterance import Entity, Utterance

SUFFIXES = (".json",)

Item = Utterance | PhraseList | DataError
Object = dict[str, object]
Slots = dict[str, set[str]]  # which slots take values of which entity

_SHAPE = '{"INTENT": [{"data": [{"text": "to "}, {"text": "Rome", "entity": "city"}]}]}'


def read_snips(path: Path) -> Iterator[Item]:
    """Yield utterances, lists of phrases and, in their places, what is wrong with bad rows.

    Raises:
        DataError: the file cannot be read, is not JSON, or is neither kind.
    """
    root = _load(path)
    is_dataset = isinstance(root.get("intents"), dict)
    intents = _object(Place(str(path), 0), root["intents"] if is_dataset else root, "intents")
    slots: Slots = {}
    for intent, content in intents.items():
        place = Place(f"{path}#{intent}", 0)
        try:
            yield from _intent(place, intent, content, slots)
        except DataError as error:
            yield error
    if is_dataset:
        yield from _entities(path, root.get("entities", {}), slots)


def _load(path: Path) -> Object:
    text = read_text(path)
    try:
        root = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not valid JSON ({error.msg} at column {error.colno}): save it as UTF-8 JSON like {_SHAPE}",
            file=str(path),
            row=error.lineno,
        ) from error
    except (RecursionError, ValueError) as error:  # too deep, or a number of thousands of digits
        raise DataError(f"not Snips data ({error}): write {_SHAPE}", file=str(path)) from error
    if not isinstance(root, dict):
        raise DataError(f"the file is {json_type(root)}: write {_SHAPE}", file=str(path))
    return root


def _intent(place: Place, intent: str, content: object, slots: Slots) -> Iterator[Item]:
    utterances = content.get("utterances") if isinstance(content, dict) else content
    check_label(place, intent)
    for number, utterance in enumerate(_list(place, utterances, "utterances"), start=1):
        try:
            yield _utterance(Place(place.file, number), intent, utterance, slots)
        except DataError as error:
            yield error


def _utterance(place: Place, intent: str, utterance: object, slots: Slots) -> Utterance:
    text = ""
    entities: list[Entity] = []
    for piece in _list(place, _object(place, utterance, "utterance").get("data"), "data"):
        fields = _object(place, piece, "data")
        part = fields.get("text")
        if not isinstance(part, str):
            raise place.error(f"text of a piece is {json_type(part)}: write a string", field="data")
        if (entity := fields.get("entity")) is not None:
            slot = fields.get("slot_name", entity)
            entities.append(_marked(place, slot, part, len(text)))
            slots.setdefault(str(entity), set()).add(entities[-1].slot)
        text += part
    return make_slot_row(place, text, tuple(entities), intent=intent)


def _marked(place: Place, slot: object, part: str, start: int) -> Entity:
    """White space just inside a piece is not part of the value."""
    name = check_name(place, slot, "entity")
    value = part.strip()
    if not value:
        raise place.error(f"slot {name!r} marks no text: remove the piece or fill it in", field="data")
    start += part.index(value)
    return Entity(name, start, start + len(value), value)


def _entities(path: Path, entities: object, slots: Slots) -> Iterator[Item]:
    try:
        for name, content in _object(Place(str(path), 0), entities, "entities").items():
            place = Place(f"{path}#{name}", 0)
            yield from _values(place, _object(place, content, "entity"), slots.get(name, {name}))
    except DataError as error:
        yield error


def _values(place: Place, entity: Object, slots: set[str]) -> Iterator[PhraseList]:
    values: list[str] = []
    for number, item in enumerate(_list(place, entity.get("data", []), "data"), start=1):
        row = Place(place.file, number)
        fields = _object(row, item, "data")
        value = check_label(row, fields.get("value"), "value")
        synonyms = _list(row, fields.get("synonyms", []), "synonyms")
        phrases = tuple(check_label(row, each, "synonyms") for each in synonyms)
        values.append(value)
        if phrases and entity.get("use_synonyms", True):
            yield PhraseList(PhraseKind.SYNONYM, value, phrases)
    if values:
        for slot in sorted(slots):
            yield PhraseList(PhraseKind.LOOKUP, slot, tuple(values))


def _object(place: Place, value: object, field: str) -> Object:
    if not isinstance(value, dict):
        raise _error(place, f"{field} is {json_type(value)}, not an object: write {_SHAPE}", field)
    return value


def _list(place: Place, value: object, field: str) -> list[object]:
    if not isinstance(value, list):
        raise _error(place, f"{field} is {json_type(value)}, not a list: write {_SHAPE}", field)
    return value


def _error(place: Place, message: str, field: str) -> DataError:
    return DataError(message, file=place.file, row=place.row or None, field=field)
