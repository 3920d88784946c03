"""What every format asks of a row with slots: named, exact spans that do not overlap."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from skills.errors import InputError
from skills.formats.row import Place, check_label, check_text, leading, shift
from skills.slot import check_slot_name
from skills.utterance import Entity, Utterance


def make_slot_row(
    place: Place,
    text: object,
    entities: tuple[Entity, ...],
    *,
    intent: object = None,
    expected_slots: tuple[str, ...] = (),
) -> Utterance:
    """Return the row as an utterance, white space around the text removed; its entities are in order.

    Args:
        place: where the row is.
        text: the text as read.
        entities: with offsets into the text as read.
        intent: the row's intent if it has one.
        expected_slots: checked names.

    Raises:
        DataError: the text is missing, of the wrong type, blank, too long or not valid Unicode; the intent is
            not a label; or an entity has no valid name, marks white space or overlaps another one.
    """
    stripped = check_text(place, text)
    moved = shift(entities, -leading(str(text)))
    label = "" if intent is None or intent == "" else check_label(place, intent)
    row = Utterance(stripped, label, place.file, place.row, moved, expected_slots)
    return check_slots(row)


def check_slots(row: Utterance) -> Utterance:
    """Return the row with its entities in order.

    Raises:
        DataError: an entity has no valid name or value, marks white space or overlaps another one.
    """
    place = Place(row.file, row.row)
    entities = tuple(sorted(row.entities, key=lambda each: (each.start, each.end)))
    for each in entities:
        _check_names(place, each)
        _check_span(place, row.text, each)
        check_text(place, each.value, "value")
    for earlier, later in pairwise(entities):
        if later.start < earlier.end:
            raise place.error(
                f"slots {_shown(row.text, earlier)} and {_shown(row.text, later)} overlap: keep one of them",
                field="slots",
            )
    return replace(row, entities=entities)


def check_name(place: Place, value: object, field: str) -> str:
    """Return the name of a slot, a role or a group without the white space around it.

    Raises:
        DataError: it is not a label, or has a ":".
    """
    name = check_label(place, value, field)
    try:
        return check_slot_name(name, field=field)
    except InputError as error:
        raise place.error(str(error), field=field) from error


def _check_names(place: Place, entity: Entity) -> None:
    check_name(place, entity.slot, "slot")
    for field in ("role", "group"):
        if name := getattr(entity, field):
            check_name(place, name, field)


def _check_span(place: Place, text: str, entity: Entity) -> None:
    marked = text[max(0, entity.start) : max(0, entity.end)]
    if not 0 <= entity.start < entity.end <= len(text):
        raise place.error(
            f"slot {entity.slot!r} is from {entity.start} to {entity.end}, "
            f"which is outside the text's 0 to {len(text)} (white space around the text "
            "does not count) or empty: mark a part of the text",
            field="slots",
        )
    if marked != marked.strip():
        raise place.error(
            f"slot {entity.slot!r} marks {marked!r}, which begins or ends with white space: "
            f"mark {marked.strip()!r} only",
            field="slots",
        )


def _shown(text: str, entity: Entity) -> str:
    return f"{entity.slot!r} {text[entity.start : entity.end]!r} ({entity.start} to {entity.end})"
