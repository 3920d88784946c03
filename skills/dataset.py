"""Labeled utterances made ready for training: checked, freed of duplicates, split."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.utterance import Utterance

DEV_SHARE = 0.2  # one row of five: enough to calibrate on, and the split of a five-shot file keeps four

_SHOWN = 5  # examples in a warning


@dataclass(frozen=True)
class Dataset:
    """Rows to train on and held-out rows; labels sorted, out-of-scope rows apart."""

    train: tuple[Utterance, ...]
    dev: tuple[Utterance, ...]
    train_oos: tuple[str, ...]
    dev_oos: tuple[str, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Repeat:
    """A row whose text was there before; texts are equal if they differ only in case and white space."""

    row: Utterance
    earlier: Utterance


@dataclass(frozen=True)
class DataReport:
    """What is doubtful about the data, though it can be trained on."""

    duplicates: tuple[Repeat, ...] = ()  # same text, same label, same file
    conflicts: tuple[Repeat, ...] = ()  # same text, another label
    overlap: tuple[Repeat, ...] = ()  # training rows whose text is also held out
    sparse_labels: tuple[Utterance, ...] = ()  # the only training row of its label

    def warnings(self) -> list[str]:
        """Return each kind of doubt in plain words with the first places."""
        found = {
            "duplicate rows, dropped": [_repeat(each) for each in self.duplicates],
            "rows with the text of another row but another intent, correct one": [
                _conflict(each) for each in self.conflicts
            ],
            "training rows that are also held out, dropped": [_repeat(each) for each in self.overlap],
            "intents with a single training row, give each at least 2 and better 10": [
                f"{row.intent!r} ({row.place})" for row in self.sparse_labels
            ],
        }
        return [f"{what} ({len(places):,}): {_listed(places)}" for what, places in found.items() if places]


def check(train: Sequence[Utterance], dev: Sequence[Utterance] = ()) -> DataReport:
    """Report what is doubtful about the data.

    Raises:
        InputError: it cannot be trained on: no rows, fewer than 2 intents, or a held-out intent without
            training rows.
    """
    if not train:
        raise InputError("no training rows: add utterances of at least 2 intents", field="data")
    held_out = {_normalised(row.text): row for row in reversed(dev)}
    overlap = tuple(
        Repeat(row, held_out[text]) for row in train if (text := _normalised(row.text)) in held_out
    )
    rest = [row for row in train if _normalised(row.text) not in held_out]
    _check_labels(rest, dev)
    counts = Counter(row.intent for row in _distinct(rest))
    return DataReport(
        duplicates=(*_duplicates(train), *_duplicates(dev)),
        conflicts=tuple(_conflicts((*train, *dev))),
        overlap=overlap,
        sparse_labels=tuple(
            row for row in _distinct(rest) if counts[row.intent] < 2 and row.intent != OUT_OF_SCOPE_LABEL
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
        kept, held = split(list(_distinct(train)), dev_share=dev_share, seed=seed)
    else:
        held = list(_distinct(dev))
        texts = {_normalised(row.text) for row in held}
        kept = [row for row in _distinct(train) if _normalised(row.text) not in texts]
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
    if not 0.0 < dev_share < 1.0:
        raise InputError(
            f"dev share is {dev_share}, allowed is more than 0 and less than 1", field="dev_share"
        )
    texts = Counter(_normalised(row.text) for row in rows)
    by_label: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_label[row.intent].append(index)
    generator = np.random.default_rng(seed)
    held: set[int] = set()
    for label in sorted(by_label):
        indices = by_label[label]
        count = min(len(indices) - 1, max(1, round(len(indices) * dev_share)))
        candidates = [index for index in indices if texts[_normalised(rows[index].text)] == 1]
        held.update(generator.permutation(candidates)[:count].tolist())
    return (
        [row for index, row in enumerate(rows) if index not in held],
        [row for index, row in enumerate(rows) if index in held],
    )


def data_sha256(utterances: Iterable[Utterance]) -> str:
    """Return the SHA-256 of texts, intents and entities, in order, wherever they were read."""
    digest = hashlib.sha256()
    for row in utterances:
        record = [row.text, row.intent, [astuple(entity) for entity in row.entities]]
        digest.update(json.dumps(record, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()


def _normalised(text: str) -> str:
    return " ".join(text.casefold().split())


def _distinct(rows: Iterable[Utterance]) -> Iterator[Utterance]:
    seen: set[tuple[str, str]] = set()
    for row in rows:
        key = (_normalised(row.text), row.intent)
        if key not in seen:
            seen.add(key)
            yield row


def _duplicates(rows: Iterable[Utterance]) -> Iterator[Repeat]:
    first: dict[tuple[str, str], Utterance] = {}
    for row in rows:
        earlier = first.setdefault((_normalised(row.text), row.intent), row)
        if earlier is not row:
            yield Repeat(row, earlier)


def _conflicts(rows: Iterable[Utterance]) -> Iterator[Repeat]:
    first: dict[str, Utterance] = {}
    for row in rows:
        earlier = first.setdefault(_normalised(row.text), row)
        if earlier.intent != row.intent:
            yield Repeat(row, earlier)


def _check_labels(train: Sequence[Utterance], dev: Sequence[Utterance]) -> None:
    labels = {row.intent for row in train} - {OUT_OF_SCOPE_LABEL}
    known = {*labels, OUT_OF_SCOPE_LABEL}
    unknown = {row.intent: row for row in reversed(dev) if row.intent not in known}
    if unknown:
        places = [f"{label!r} ({row.place})" for label, row in sorted(unknown.items())]
        raise InputError(
            f"{len(unknown)} held-out intents have no training row that is not also held out: "
            f"{_listed(places)}; add training rows or remove the intents",
            field="dev",
        )
    if len(labels) < 2:
        raise InputError(
            f"training rows have {len(labels)} intents ({_listed(sorted(labels)) or 'none'}), at least 2 are "
            "needed to tell apart: add rows of others",
            field="data",
        )


def _repeat(repeat: Repeat) -> str:
    return f"{repeat.row.place} (as {repeat.earlier.place})"


def _conflict(repeat: Repeat) -> str:
    return (
        f"{repeat.row.place} is {repeat.row.intent!r} but {repeat.earlier.place} is {repeat.earlier.intent!r}"
    )


def _listed(items: Sequence[str]) -> str:
    more = f" (and {len(items) - _SHOWN:,} more)" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more
