"""What every format asks of a row: a text and a label within bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from skills.errors import DataError
from skills.parse import MAX_TEXT
from skills.utterance import Entity, Utterance

MAX_LABEL = 128  # characters

_JSON_TYPES = {
    type(None): "null",
    bool: "a truth value",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True)
class Place:
    """A row of a file, 1-based."""

    file: str
    row: int

    def error(self, message: str, *, field: str = "") -> DataError:
        """Return the error that names this place."""
        return DataError(message, file=self.file, row=self.row, field=field)


def make_utterance(
    place: Place, text: object, intent: object, entities: tuple[Entity, ...] = ()
) -> Utterance:
    """Return the row as an utterance, white space around text and intent removed.

    Entities must not begin or end with white space.

    Raises:
        DataError: text or intent is missing, of the wrong type, blank, too long or not valid Unicode.
    """
    stripped = check_text(place, text)
    moved = shift(entities, -leading(str(text)))
    return Utterance(stripped, check_label(place, intent), place.file, place.row, moved)


def check_text(place: Place, text: object, field: str = "text") -> str:
    """Return the text without the white space around it.

    Raises:
        DataError: it is missing, of the wrong type, blank, too long or not valid Unicode.
    """
    stripped = _string(place, text, field).strip()
    if len(stripped) > MAX_TEXT:
        raise place.error(
            f"{field} has {len(stripped):,} characters, at most {MAX_TEXT:,} are allowed: split it up",
            field=field,
        )
    try:
        stripped.encode()
    except UnicodeEncodeError as error:
        raise place.error(
            f"{field} has half a surrogate pair at character {error.start + 1}, which is no character: "
            "write the character itself or both halves",
            field=field,
        ) from error
    return stripped


def check_label(place: Place, value: object, field: str = "intent") -> str:
    """Return the label without the white space around it.

    Raises:
        DataError: it is missing, of the wrong type, blank, too long or not printable.
    """
    label = _string(place, value, field).strip()
    if len(label) > MAX_LABEL:
        raise place.error(
            f"{field} has {len(label):,} characters, at most {MAX_LABEL} are allowed: shorten {label[:20]!r}",
            field=field,
        )
    if not label.isprintable():
        raise place.error(
            f"{field} {label!r} has characters that cannot be printed: remove them", field=field
        )
    return label


def json_type(value: object) -> str:
    """Return what JSON calls the type of the value, with its article."""
    return _JSON_TYPES[type(value)]


def _string(place: Place, value: object, field: str) -> str:
    if value is None:
        remedy = "every row needs a text and an intent" if field in ("text", "intent") else "add it"
        raise place.error(f"{field} is missing: {remedy}", field=field)
    if not isinstance(value, str):
        raise place.error(f"{field} is {json_type(value)}: write it as a string, in quotes", field=field)
    if not value.strip():
        raise place.error(f"{field} is blank: fill it in or remove the row", field=field)
    return value


def leading(text: str) -> int:
    """Return how many characters of white space the text begins with."""
    return len(text) - len(text.lstrip())


def shift(entities: tuple[Entity, ...], by: int) -> tuple[Entity, ...]:
    """Return the entities as many characters further on; `by` may be negative."""
    return tuple(replace(each, start=each.start + by, end=each.end + by) for each in entities)
