"""Rasa's entity markup inside an example: `fly to [NYC](city)`, `[NYC]{"entity": "city", "role": "to"}`."""

from __future__ import annotations

import json
import re

from skills.formats.row import Place, check_label
from skills.utterance import Entity

# The marked text and what must follow for it to be markup; any other bracket is text.
_MARKED = re.compile(r"\[([^\[\]]*)\](?=\(|\{|\[\s*\{)")
_IN_PARENTHESES = re.compile(r"\(([^():]+)(?::([^)]*))?\)")  # (slot) or, before Rasa 2, (slot:value)
_BROKEN = re.compile(r"\[(?=\S)(?![^\[\]]*\])|\](?=\(|\{)")
_KEYS = ("entity", "value", "role", "group")
_DECODER = json.JSONDecoder()


def strip_markup(raw: str, place: Place) -> tuple[str, tuple[Entity, ...]]:
    """Return the plain text of an example, and its entities with code-point offsets into that text.

    White space just inside the brackets stays in the text but is not part of the entity.

    Raises:
        DataError: markup is not closed, has no slot name or marks nothing.
    """
    plain = ""
    entities: list[Entity] = []
    position = 0
    while marked := _MARKED.search(raw, position):
        plain += _text(raw[position : marked.start()], position, place)
        attributes, position = _attributes(raw, marked.end(), place)
        inner = marked[1].strip()
        if not inner:
            raise place.error(
                f"{raw[marked.start() : position]!r} marks no text: write [text](entity)", field="text"
            )
        start = len(plain) + marked[1].index(inner)
        entities += [_entity(each, inner, start, place) for each in attributes]
        plain += marked[1]
    return plain + _text(raw[position:], position, place), tuple(entities)


def _text(piece: str, offset: int, place: Place) -> str:
    if broken := _BROKEN.search(piece):
        raise place.error(
            f"entity markup is not balanced at {piece[broken.start() :][:20]!r} (character "
            f'{offset + broken.start() + 1}): write [text](entity) or [text]{{"entity": "…"}}',
            field="text",
        )
    return piece


def _attributes(raw: str, start: int, place: Place) -> tuple[list[dict[str, str]], int]:
    """Return the attributes of each entity on the marked text, and where they end."""
    if raw[start] == "(":
        found = _IN_PARENTHESES.match(raw, start)
        if not found:
            raise place.error(
                f"entity markup is not balanced at {raw[start:][:20]!r} (character {start + 1}): "
                "write [text](entity)",
                field="text",
            )
        given = {"entity": found[1], "value": found[2]}
        return [{key: value for key, value in given.items() if value is not None}], found.end()
    try:
        decoded, end = _DECODER.raw_decode(raw, start)
    except (RecursionError, ValueError) as error:
        raise place.error(
            f"entity attributes at character {start + 1} are not valid JSON ({error}): "
            'write [text]{"entity": "…", "role": "…"}',
            field="text",
        ) from error
    attributes = decoded if isinstance(decoded, list) else [decoded]
    for each in attributes:
        _check_attributes(each, place)
    return attributes, end


def _check_attributes(attributes: object, place: Place) -> None:
    if not isinstance(attributes, dict) or not all(isinstance(attributes.get(key, ""), str) for key in _KEYS):
        raise place.error(
            f"entity attributes {str(attributes)[:60]} are not strings: "
            'write {"entity": "…", "value": "…", "role": "…", "group": "…"}',
            field="text",
        )


def _entity(attributes: dict[str, str], text: str, start: int, place: Place) -> Entity:
    return Entity(
        slot=check_label(place, attributes.get("entity"), "entity"),
        start=start,
        end=start + len(text),
        value=attributes.get("value", "").strip() or text,
        role=attributes.get("role", "").strip(),
        group=attributes.get("group", "").strip(),
    )
