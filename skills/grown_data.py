"""The rows of a skill that grows: those it has learned already, what it was told since, and new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skills.errors import InputError
from skills.exemplar import Exemplar
from skills.skill import SkillKind
from skills.training_data import Row, TrainingData
from skills.utterance import Utterance


def grown_data(parent: TrainingData, more: TrainingData, exemplars: Sequence[Exemplar] = ()) -> TrainingData:
    """Return all rows of `parent`, with those of `more` instead where the text is the same.

    Exemplars of an intent skill are rows, too, unless a row of `more` has their text. Rows that were held out
    stay so, unless `more` trains on them.

    Raises:
        InputError: the kinds differ, or there are more rows or labels than are allowed.
    """
    if parent.kind is not more.kind:
        raise InputError(
            f"rows of kind {more.kind} cannot be added to rows of kind {parent.kind}", field="kind"
        )
    told = [Utterance(each.text, each.intent) for each in exemplars] if more.kind is SkillKind.INTENT else []
    train = _replaced(_replaced(parent.train, told), more.train)
    dev = _replaced(parent.dev or (), more.dev or ())
    return replace(
        more,
        train=_without(train, more.dev or ()),
        dev=None if parent.dev is None and more.dev is None else _without(dev, (*told, *more.train)),
        phrases=tuple(dict.fromkeys((*parent.phrases, *more.phrases))),
        slot_types={**parent.slot_types, **more.slot_types},
        descriptions={**parent.descriptions, **more.descriptions},
    )


def check_covers(labels: Sequence[str], data: TrainingData, parent: str) -> None:
    """Check that rows alone make up for those of a parent, which are not kept.

    Raises:
        InputError: the parent has labels that no row has.
    """
    there = {row.intent for row in data.train if isinstance(row, Utterance)}
    lacking = [label for label in labels if label not in there]
    if data.kind in (SkillKind.INTENT, SkillKind.JOINT) and lacking:
        raise InputError(
            f"the rows that {parent} was trained on are not kept, and the data has none of "
            f"{len(lacking)} of its intents, such as {lacking[0]!r}: give all rows, not only the new ones",
            field="data",
        )


def _replaced(rows: Sequence[Row], newer: Sequence[Row]) -> tuple[Row, ...]:
    """Return rows and newer ones, which stand for those of the same text."""
    return (*_without(rows, newer), *newer)


def _without(rows: Sequence[Row], others: Sequence[Row]) -> tuple[Row, ...]:
    taken = {_key(row) for row in others}
    return tuple(row for row in rows if _key(row) not in taken)


def _key(row: Row) -> tuple[str, tuple[str, ...]]:
    """Return what makes two rows one: the text, and what the dialog had asked for."""
    return row.text, row.expected_slots if isinstance(row, Utterance) else ()
