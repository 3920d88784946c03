"""Labeled utterances made ready for training: checked, freed of duplicates, split."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from skills.data_report import DataReport, conflicts, distinct, duplicates, listed, normalised, overlap
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.split import DEV_SHARE, held_out
from skills.utterance import Utterance


@dataclass(frozen=True)
class Dataset:
    """Rows to train on and held-out rows; labels sorted, out-of-scope rows apart."""

    train: tuple[Utterance, ...]
    dev: tuple[Utterance, ...]
    train_oos: tuple[str, ...]
    dev_oos: tuple[str, ...]
    labels: tuple[str, ...]


def check(train: Sequence[Utterance], dev: Sequence[Utterance] = ()) -> DataReport:
    """Report what is doubtful about the data.

    Raises:
        InputError: it cannot be trained on: no rows, fewer than 2 intents, or a held-out intent without
            training rows.
    """
    if not train:
        raise InputError("no training rows: add utterances of at least 2 intents", field="data")
    texts = {_text(row) for row in dev}
    rest = [row for row in train if _text(row) not in texts]
    check_intents(rest, dev)
    counts = Counter(row.intent for row in distinct(rest, _text_and_intent))
    return DataReport(
        duplicates=(*duplicates(train, _text_and_intent), *duplicates(dev, _text_and_intent)),
        conflicts=tuple(conflicts((*train, *dev), _text, _intent)),
        overlap=tuple(overlap(train, dev, _text)),
        sparse_labels=tuple(
            row
            for row in distinct(rest, _text_and_intent)
            if counts[row.intent] < 2 and row.intent != OUT_OF_SCOPE_LABEL
        ),
    )


def build(
    train: Sequence[Utterance],
    dev: Sequence[Utterance] | None = None,
    *,
    dev_share: float = DEV_SHARE,
    seed: int,
) -> tuple[Dataset, DataReport]:
    """Make a data set; without held-out rows, `dev_share` of each label's rows are held out, drawn by `seed`.

    Duplicates are dropped, the first is kept; so are training rows that are also held out.

    Raises:
        InputError: the data cannot be trained on.
    """
    report = check(train, dev or ())
    if dev is None:
        kept, held = split(list(distinct(train, _text_and_intent)), dev_share=dev_share, seed=seed)
    else:
        held = list(distinct(dev, _text_and_intent))
        texts = {_text(row) for row in held}
        kept = [row for row in distinct(train, _text_and_intent) if _text(row) not in texts]
    dataset = Dataset(
        train=tuple(row for row in kept if row.intent != OUT_OF_SCOPE_LABEL),
        dev=tuple(row for row in held if row.intent != OUT_OF_SCOPE_LABEL),
        train_oos=tuple(row.text for row in kept if row.intent == OUT_OF_SCOPE_LABEL),
        dev_oos=tuple(row.text for row in held if row.intent == OUT_OF_SCOPE_LABEL),
        labels=tuple(sorted({row.intent for row in kept} - {OUT_OF_SCOPE_LABEL})),
    )
    return dataset, report


def split(
    rows: Sequence[Utterance], *, dev_share: float = DEV_SHARE, seed: int
) -> tuple[list[Utterance], list[Utterance]]:
    """Return training and held-out rows, each in the order given.

    The rows are distinct. Of each label's n rows, `dev_share * n` are held out, rounded, but at least 1 and
    at most n - 1, so a label with one row gives none; scikit-learn's stratified split refuses such labels. A
    text with more than one label stays in training: which one is right is in doubt.

    Raises:
        InputError: the share is out of bounds.
    """
    texts = Counter(_text(row) for row in rows)
    in_doubt = [texts[_text(row)] > 1 for row in rows]
    held = held_out([row.intent for row in rows], in_doubt, dev_share=dev_share, seed=seed)
    return (
        [row for index, row in enumerate(rows) if index not in held],
        [row for index, row in enumerate(rows) if index in held],
    )


def check_intents(train: Sequence[Utterance], dev: Sequence[Utterance]) -> None:
    """Check that there are intents to tell apart, and held-out ones to have learned.

    Raises:
        InputError: there are fewer than 2 intents, or a held-out one has no training row.
    """
    labels = {row.intent for row in train} - {OUT_OF_SCOPE_LABEL}
    known = {*labels, OUT_OF_SCOPE_LABEL}
    refuse_unknown("intents", {row.intent: row for row in reversed(dev) if row.intent not in known})
    if len(labels) < 2:
        raise InputError(
            f"training rows have {len(labels)} intents ({listed(sorted(labels)) or 'none'}), at least 2 are "
            "needed to tell apart: add rows of others",
            field="data",
        )


def refuse_unknown(what: str, unknown: Mapping[str, Utterance]) -> None:
    """Refuse labels that are held out only, each given with a row.

    Raises:
        InputError: there are such labels.
    """
    if unknown:
        places = [f"{label!r} ({row.place})" for label, row in sorted(unknown.items())]
        raise InputError(
            f"{len(unknown)} held-out {what} have no training row that is not also held out: "
            f"{listed(places)}; add training rows or remove the {what}",
            field="dev",
        )


def data_sha256(utterances: Iterable[Utterance]) -> str:
    """Return the SHA-256 of texts, intents, entities and expected slots, wherever they were read."""
    digest = hashlib.sha256()
    for row in utterances:
        record = [row.text, row.intent, [astuple(entity) for entity in row.entities], *row.expected_slots]
        digest.update(json.dumps(record, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def _text(row: Utterance) -> str:
    return normalised(row.text)


def _intent(row: Utterance) -> str:
    return row.intent


def _text_and_intent(row: Utterance) -> tuple[str, str]:
    return _text(row), row.intent
