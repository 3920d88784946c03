"""What is doubtful about labeled utterances: rows that are there twice, or that contradict each other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from skills.utterance import Utterance

Key = Callable[[Utterance], Hashable]

_SHOWN = 5  # examples in a warning


@dataclass(frozen=True)
class Repeat:
    """A row whose text was there before; texts are equal if they differ only in case and white space."""

    row: Utterance
    earlier: Utterance


@dataclass(frozen=True)
class SparseSlot:
    """A slot label of which there is a single training row."""

    label: str
    row: Utterance


@dataclass(frozen=True)
class DataReport:
    """What is doubtful about the data, though it can be trained on."""

    duplicates: tuple[Repeat, ...] = ()  # same text, same label, same file
    conflicts: tuple[Repeat, ...] = ()  # same text, another label
    overlap: tuple[Repeat, ...] = ()  # training rows whose text is also held out
    sparse_labels: tuple[Utterance, ...] = ()  # the only training row of its label
    slot_conflicts: tuple[Repeat, ...] = ()  # same text, same expected slots, but other slots marked
    sparse_slots: tuple[SparseSlot, ...] = ()

    def warnings(self) -> list[str]:
        """Return each kind of doubt in plain words with the first places."""
        found = {
            "duplicate rows, dropped": [_repeat(each) for each in self.duplicates],
            "rows with the text of another row but another intent, correct one": [
                _conflict(each) for each in self.conflicts
            ],
            "rows with the text of another row but other slots, correct one": [
                _slot_conflict(each) for each in self.slot_conflicts
            ],
            "training rows that are also held out, dropped": [_repeat(each) for each in self.overlap],
            "intents with a single training row, give each at least 2 and better 10": [
                f"{row.intent!r} ({row.place})" for row in self.sparse_labels
            ],
            "slots with a single training row, give each at least 2 and better 10": [
                f"{each.label!r} ({each.row.place})" for each in self.sparse_slots
            ],
        }
        return [f"{what} ({len(places):,}): {listed(places)}" for what, places in found.items() if places]


def normalised(text: str) -> str:
    """Return the text without what makes no other utterance of it: case, and the amount of white space."""
    return " ".join(text.casefold().split())


def distinct(rows: Iterable[Utterance], key: Key) -> Iterator[Utterance]:
    """Yield the first row of each key."""
    seen: set[Hashable] = set()
    for row in rows:
        if (found := key(row)) not in seen:
            seen.add(found)
            yield row


def duplicates(rows: Iterable[Utterance], key: Key) -> Iterator[Repeat]:
    """Yield the rows whose key was there before."""
    first: dict[Hashable, Utterance] = {}
    for row in rows:
        earlier = first.setdefault(key(row), row)
        if earlier is not row:
            yield Repeat(row, earlier)


def conflicts(rows: Iterable[Utterance], question: Key, answer: Key) -> Iterator[Repeat]:
    """Yield the rows whose question was there before, with another answer."""
    for repeat in duplicates(rows, question):
        if answer(repeat.row) != answer(repeat.earlier):
            yield repeat


def overlap(train: Iterable[Utterance], dev: Sequence[Utterance], question: Key) -> Iterator[Repeat]:
    """Yield the training rows whose question is also held out."""
    held_out = {question(row): row for row in reversed(dev)}
    for row in train:
        if earlier := held_out.get(question(row)):
            yield Repeat(row, earlier)


def listed(items: Sequence[str]) -> str:
    """Return the first items, and how many more there are."""
    more = f" (and {len(items) - _SHOWN:,} more)" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _repeat(repeat: Repeat) -> str:
    return f"{repeat.row.place} (as {repeat.earlier.place})"


def _conflict(repeat: Repeat) -> str:
    return (
        f"{repeat.row.place} is {repeat.row.intent!r} but {repeat.earlier.place} is {repeat.earlier.intent!r}"
    )


def _slot_conflict(repeat: Repeat) -> str:
    row, earlier = repeat.row, repeat.earlier
    return f"{row.place} has {_slots(row)} but {earlier.place} has {_slots(earlier)}"


def _slots(row: Utterance) -> str:
    return ", ".join(f"{each.label} {each.value!r}" for each in row.entities) or "no slots"
