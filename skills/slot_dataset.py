"""Utterances with slots made ready for training: checked, freed of duplicates, split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from skills.data_report import (
    DataReport,
    SparseSlot,
    conflicts,
    distinct,
    duplicates,
    listed,
    normalised,
    overlap,
)
from skills.dataset import check_intents, refuse_unknown
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.slot import SlotLabel
from skills.split import DEV_SHARE, held_out
from skills.utterance import Utterance

Question = tuple[str, tuple[str, ...]]  # what was said, and what the dialog had asked for
Answer = tuple[tuple[str, int, int, str], ...]  # the slots: label, start, end, value


@dataclass(frozen=True)
class SlotDataset:
    """Rows to train on and held-out rows; labels sorted.

    Rows of a joint skill keep their intents, `__oos__` among them, and `intents` are those in scope, sorted.
    All other rows have the intent "".
    """

    train: tuple[Utterance, ...]
    dev: tuple[Utterance, ...]
    labels: tuple[SlotLabel, ...]
    intents: tuple[str, ...] = ()


def check_slots(
    train: Sequence[Utterance], dev: Sequence[Utterance] = (), *, with_intents: bool = False
) -> DataReport:
    """Report what is doubtful about the data.

    Raises:
        InputError: it cannot be trained on: no rows, no slots, a held-out slot without training rows; or with
            intents, a row without one, fewer than 2, or a held-out one without training rows.
    """
    if not train:
        raise InputError("no training rows: add utterances with slots", field="data")
    asked = {_question(row) for row in dev}
    rest = list(distinct((row for row in train if _question(row) not in asked), _row))
    _check_slots(rest, dev)
    if with_intents:
        _check_intents(rest, dev)
    return DataReport(
        duplicates=(*duplicates(train, _row), *duplicates(dev, _row)),
        conflicts=tuple(conflicts((*train, *dev), _question, _intent)) if with_intents else (),
        overlap=tuple(overlap(train, dev, _question)),
        sparse_labels=tuple(_sparse_intents(rest)) if with_intents else (),
        slot_conflicts=tuple(conflicts((*train, *dev), _question, _answer)),
        sparse_slots=tuple(_sparse_slots(rest)),
    )


def build_slots(
    train: Sequence[Utterance],
    dev: Sequence[Utterance] | None = None,
    *,
    dev_share: float = DEV_SHARE,
    seed: int,
    with_intents: bool = False,
) -> tuple[SlotDataset, DataReport]:
    """Make a data set; without held-out rows, `dev_share` of the rows are held out, drawn by `seed`.

    Rows are duplicates if they differ only in case and white space; the first is kept. Training rows whose
    text and expected slots are also held out are dropped.

    Raises:
        InputError: the data cannot be trained on.
    """
    if not with_intents:
        train = [replace(row, intent="") for row in train]
        dev = None if dev is None else [replace(row, intent="") for row in dev]
    report = check_slots(train, dev or (), with_intents=with_intents)
    rows = list(distinct(train, _row))
    if dev is None:
        kept, held = split_slots(rows, dev_share=dev_share, seed=seed)
    else:
        held = list(distinct(dev, _row))
        asked = {_question(row) for row in held}
        kept = [row for row in rows if _question(row) not in asked]
    dataset = SlotDataset(
        train=tuple(kept),
        dev=tuple(held),
        labels=tuple(sorted({each.label for row in kept for each in row.entities})),
        intents=tuple(sorted({row.intent for row in kept} - {OUT_OF_SCOPE_LABEL, ""})),
    )
    return dataset, report


def split_slots(
    rows: Sequence[Utterance], *, dev_share: float = DEV_SHARE, seed: int
) -> tuple[list[Utterance], list[Utterance]]:
    """Return training and held-out rows, each in the order given.

    The rows are distinct. The share is held out of the rows of each intent, or without intents of each rarest
    slot (that of a row which the fewest rows have). Every slot and every intent stays in training, and so
    does a text whose slots or intent are in doubt.

    Raises:
        InputError: the share is out of bounds.
    """
    questions = Counter(_question(row) for row in rows)
    in_doubt = [questions[_question(row)] > 1 for row in rows]
    counts = Counter(name for row in rows for name in _names(row))
    held = held_out([_stratum(row, counts) for row in rows], in_doubt, dev_share=dev_share, seed=seed)
    kept = Counter(name for index, row in enumerate(rows) if index not in held for name in _names(row))
    for index in sorted(held):
        if any(not kept[name] for name in _names(rows[index])):
            held.remove(index)
            kept.update(_names(rows[index]))
    return (
        [row for index, row in enumerate(rows) if index not in held],
        [row for index, row in enumerate(rows) if index in held],
    )


def _question(row: Utterance) -> Question:
    return normalised(row.text), tuple(sorted(set(row.expected_slots)))


def _answer(row: Utterance) -> Answer:
    """Return the slots with offsets into the normalised text."""
    return tuple(
        (
            str(each.label),
            len(normalised(row.text[: each.start])),
            len(normalised(row.text[: each.end])),
            normalised(each.value),
        )
        for each in row.entities
    )


def _intent(row: Utterance) -> str:
    return row.intent


def _row(row: Utterance) -> tuple[Question, Answer, str]:
    return _question(row), _answer(row), row.intent


def _names(row: Utterance) -> set[str]:
    """Return the slots and the intent of a row."""
    return {f"slot {each.label}" for each in row.entities} | {f"intent {row.intent}"}


def _stratum(row: Utterance, counts: Counter[str]) -> str:
    if row.intent:
        return row.intent
    return min(_names(row), key=lambda name: (counts[name], name))


def _check_slots(train: Sequence[Utterance], dev: Sequence[Utterance]) -> None:
    known = {each.label for row in train for each in row.entities}
    if not known:
        raise InputError(
            f"none of {len(train):,} training rows has a slot: mark the values that the skill is to find",
            field="data",
        )
    unknown = {
        str(each.label): row for row in reversed(dev) for each in row.entities if each.label not in known
    }
    refuse_unknown("slots", unknown)


def _check_intents(train: Sequence[Utterance], dev: Sequence[Utterance]) -> None:
    without = [row.place for row in (*train, *dev) if not row.intent]
    if without:
        raise InputError(
            f"{len(without):,} rows have no intent: {listed(without)}; give them one, "
            "or train a skill of slots only",
            field="data",
        )
    check_intents(train, dev)


def _sparse_slots(rows: Iterable[Utterance]) -> Iterator[SparseSlot]:
    of_label: dict[str, list[Utterance]] = {}
    for row in rows:
        for label in sorted({str(each.label) for each in row.entities}):
            of_label.setdefault(label, []).append(row)
    return (SparseSlot(label, found[0]) for label, found in of_label.items() if len(found) == 1)


def _sparse_intents(rows: Sequence[Utterance]) -> Iterator[Utterance]:
    counts = Counter(row.intent for row in rows)
    return (row for row in rows if counts[row.intent] < 2 and row.intent != OUT_OF_SCOPE_LABEL)
