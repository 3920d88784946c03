"""JSON Lines with slots: `{"text": …, "slots": [{"slot", "start", "end", "value"}]}`, other keys ignored.

A slot may have a "role", a "group", and beside "value", the text as marked, the "resolved" value that it
stands for. A row may have an "intent", and the slots "requested" (or "expected_slots") just before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from skills.errors import DataError
from skills.formats.jsonl import read_records
from skills.formats.row import Place, check_text, json_type
from skills.formats.slot_row import check_name, make_slot_row
from skills.utterance import Entity, Utterance

_SLOT = '{"slot": "…", "start": 0, "end": 1, "value": "…"}'
SLOT_ROW = f'{{"text": "…", "slots": [{_SLOT}]}}'
_EXPECTED = ("requested", "expected_slots")


def read_slots_jsonl(path: Path) -> Iterator[Utterance | DataError]:
    """Yield the rows of the file and, in their places, what is wrong with bad ones; pass over blank lines.

    Raises:
        DataError: the file cannot be read at all.
    """
    return read_records(path, SLOT_ROW, slot_row)


def slot_row(place: Place, record: dict[str, object]) -> Utterance:
    """Return the utterance of an object.

    Raises:
        DataError: as `make_slot_row`; or a slot's value is not what it marks.
    """
    text = record.get("text")
    check_text(place, text)
    slots = _list(place, record.get("slots"), "slots", _SLOT)
    return make_slot_row(
        place,
        text,
        tuple(_entity(place, str(text), slot) for slot in slots),
        intent=record.get("intent"),
        expected_slots=_expected_slots(place, record),
    )


def slot_record(row: Utterance) -> dict[str, object]:
    """Return the object that `slot_row` reads."""
    record: dict[str, object] = {"text": row.text}
    if row.intent:
        record["intent"] = row.intent
    record["slots"] = [_slot_record(row.text, each) for each in row.entities]
    if row.expected_slots:
        record["expected_slots"] = list(row.expected_slots)
    return record


def _slot_record(text: str, entity: Entity) -> dict[str, object]:
    raw = text[entity.start : entity.end]
    more = {
        "resolved": entity.value if entity.value != raw else "",
        "role": entity.role,
        "group": entity.group,
    }
    named = {"slot": entity.slot, "start": entity.start, "end": entity.end, "value": raw}
    return {**named, **{field: value for field, value in more.items() if value}}


def _entity(place: Place, text: str, slot: object) -> Entity:
    if not isinstance(slot, dict):
        raise place.error(f"a slot is {json_type(slot)}: write {_SLOT}", field="slots")
    name = check_name(place, slot.get("slot"), "slot")
    start, end = (_offset(place, name, slot.get(field), field) for field in ("start", "end"))
    raw = _marked(place, text, slot.get("value"), Entity(name, start, end, ""))
    return Entity(
        name,
        start,
        end,
        _optional(place, slot, "resolved") or raw,
        role=_optional(place, slot, "role"),
        group=_optional(place, slot, "group"),
    )


def _offset(place: Place, slot: str, value: object, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise place.error(
            f"{field} of slot {slot!r} is {json_type(value)}: write the offset, a whole number of characters",
            field=field,
        )
    return value


def _marked(place: Place, text: str, value: object, span: Entity) -> str:
    if not isinstance(value, str):
        raise place.error(
            f"value of slot {span.slot!r} is {json_type(value)}: write the marked text as a string, "
            'and what it stands for, if that is something else, as "resolved"',
            field="value",
        )
    marked = text[max(0, span.start) : max(0, span.end)]
    if marked != value:
        raise place.error(
            f"slot {span.slot!r} marks {marked!r} ({span.start} to {span.end}), but its value is {value!r}: "
            f"{_remedy(text, value)}",
            field="slots",
        )
    return marked


def _remedy(text: str, value: str) -> str:
    if value and text.count(value) == 1:
        start = text.index(value)
        return f"that is from {start} to {start + len(value)}; count characters from 0, not bytes"
    return (
        "count characters from 0, not bytes, the end is exclusive; "
        'what the text stands for goes into "resolved"'
    )


def _optional(place: Place, slot: dict[str, object], field: str) -> str:
    """Return a string that may be missing, null or empty."""
    value = slot.get(field)
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise place.error(
            f"{field} of slot {slot.get('slot')!r} is {json_type(value)}: write a string", field=field
        )
    return value.strip()


def _expected_slots(place: Place, record: dict[str, object]) -> tuple[str, ...]:
    given = [field for field in _EXPECTED if record.get(field) is not None]
    if len(given) > 1:
        raise place.error(f"row has {' and '.join(given)}, which mean the same: keep one", field=given[1])
    if not given:
        return ()
    names = _list(place, record[given[0]], given[0], '"…"')
    return tuple(check_name(place, name, given[0]) for name in names)


def _list(place: Place, value: object, field: str, item: str) -> list[object]:
    if value is None:
        raise place.error(f"{field} are missing: write [{item}], or [] if there are none", field=field)
    if not isinstance(value, list):
        raise place.error(f"{field} is {json_type(value)}: write [{item}]", field=field)
    return value
