"""Labels described in words: YAML, or JSON Lines, with a line for each label.

card_arrival: the card that I ordered has not arrived yet
{"intent": "card_arrival", "description": "the card that I ordered has not arrived yet"}
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from skills.errors import DataError
from skills.formats.jsonl import read_records
from skills.formats.rasa_yaml import SUFFIXES, compose, fields_of, scalar
from skills.formats.reader import MAX_LABELS, unknown_suffix
from skills.formats.row import Place, check_label, check_text
from skills.utterance import Utterance

LABEL_ROW = '{"intent": "…", "description": "…"}'
_JSONL = (".jsonl", ".ndjson")


def read_labels(path: Path) -> dict[str, str]:
    """Return the descriptions by label, in the order of the file; one that is left out is "".

    Raises:
        DataError: the file is missing, unreadable, of another format or over the limits; it has fewer than 2
            labels, or one twice; or a description is too long or no text.
    """
    suffix = path.suffix.lower()
    if suffix not in (*_JSONL, *SUFFIXES):
        raise unknown_suffix(path, (*SUFFIXES, *_JSONL))
    found: dict[str, str] = {}
    for item in read_records(path, LABEL_ROW, label_of) if suffix in _JSONL else _of_yaml(path):
        if isinstance(item, DataError):
            raise item
        if item.intent in found:
            raise Place(item.file, item.row).error(f"label {item.intent!r} is there twice: remove one")
        found[item.intent] = item.text
        if len(found) > MAX_LABELS:
            raise DataError(f"more than {MAX_LABELS:,} labels", file=str(path))
    if len(found) < 2:
        raise DataError(f"{len(found)} labels, at least 2 are needed to tell apart", file=str(path))
    return found


def label_of(place: Place, record: dict[str, object]) -> Utterance:
    """Return a label with its description as the text, which may be "".

    Raises:
        DataError: the label is missing or no label, or the description is no text.
    """
    label, text = check_label(place, record.get("intent")), record.get("description") or ""
    return Utterance(check_text(place, text, "description") if text else "", label, place.file, place.row)


def _of_yaml(path: Path) -> Iterator[Utterance]:
    root = compose(path)
    if root is None:
        return
    for label, node in fields_of(root, str(path)).items():
        place = Place(str(path), node.start_mark.line + 1)
        if not isinstance(node, yaml.ScalarNode):
            raise place.error(f"the description of {label!r} is no text: write `{label}: in words`")
        yield label_of(place, {"intent": label, "description": scalar(node)})
