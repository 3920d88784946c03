"""The examples of a training as they come, checked part by part: a bad one ends the upload at once."""

from __future__ import annotations

from dataclasses import dataclass

from nlu.training_wire import read_example, read_phrases, read_spec
from nlu.v1 import training_pb2
from skills.errors import InputError
from skills.formats.phrases import PhraseKind, PhraseList
from skills.formats.reader import MAX_ROWS
from skills.formats.row import Place
from skills.formats.source import MAX_BYTES
from skills.job import JobRequest
from skills.resolution import SlotSchema, read_schema_document
from skills.skill import SkillKind
from skills.training_data import Row, TrainingData
from storage.job_rows import check_order

_SPLITS = {
    training_pb2.EXAMPLE_SPLIT_UNSPECIFIED: "train",
    training_pb2.EXAMPLE_SPLIT_TRAIN: "train",
    training_pb2.EXAMPLE_SPLIT_DEV: "dev",
}


@dataclass(frozen=True)
class Submission:
    """A whole upload; `key` makes submissions one job."""

    request: JobRequest
    data: TrainingData
    priority: int
    key: str


class Upload:
    """The parts of an upload so far. Not safe to share between threads.

    Args:
        first: the first part.

    Raises:
        InputError: it is not the start, or a value of it is out of bounds.
    """

    def __init__(self, first: training_pb2.SubmitTrainingRequest) -> None:
        if first.WhichOneof("part") != "start":
            raise InputError("an upload begins with its start: send it first", field="start")
        self.request = read_spec(first.start.spec)
        self._priority, self._key = first.start.priority, first.start.idempotency_key
        check_order(self._priority, self._key)
        self._slot_types = read_schema_document(
            {slot: {"kind": kind} for slot, kind in first.start.slot_kinds.items()}
        )
        self._rows: dict[str, list[Row]] = {split: [] for split in _SPLITS.values()}
        self._phrases: dict[tuple[PhraseKind, str], list[str]] = {}
        self._bytes = 0
        self._is_complete = False

    def add(self, message: training_pb2.SubmitTrainingRequest) -> None:
        """Take the next part.

        Raises:
            DataError: an example is bad; names its split, its number in that, from 1, and the field.
            InputError: the part is out of place, or there are too many examples or bytes.
        """
        part = message.WhichOneof("part")
        if self._is_complete or part not in ("batch", "phrases", "end"):
            raise InputError(
                "after the start, an upload has batches, phrases and one end", field=part or "batch"
            )
        self._bytes += message.ByteSize()
        if self._bytes > MAX_BYTES:
            raise InputError(f"more than {MAX_BYTES:,} bytes of examples: send a part of them", field="batch")
        if part == "batch":
            self._add_rows(message.batch)
        elif part == "phrases":
            self._add_phrases(message.phrases)
        else:
            self._end(message.end)

    def finish(self) -> Submission:
        """Return what was uploaded.

        Raises:
            InputError: the upload has no end or no rows to train on, or too many labels.
        """
        if not self._is_complete:
            raise InputError("the upload broke off before its end: send it again", field="end")
        if not self._rows["train"]:
            raise InputError("there are no examples to train on: send some", field="batch")
        data = TrainingData(
            self.request.kind,
            tuple(self._rows["train"]),
            tuple(self._rows["dev"]) or None,
            *self._slot_values(),
        )
        return Submission(self.request, data, self._priority, self._key)

    def _slot_values(self) -> tuple[tuple[PhraseList, ...], SlotSchema]:
        """Return what is said of the values of slots; nothing for a skill that has none."""
        if self.request.kind not in (SkillKind.SLOTS, SkillKind.JOINT):
            return (), {}
        lists = (PhraseList(kind, name, tuple(each)) for (kind, name), each in self._phrases.items())
        return tuple(lists), self._slot_types

    def _add_rows(self, batch: training_pb2.ExampleBatch) -> None:
        if batch.split not in _SPLITS:
            names = ", ".join(training_pb2.ExampleSplit.keys())
            raise InputError(f"split {batch.split} is not known: use {names}", field="batch.split")
        self._check_number(len(batch.examples), "batch")
        split = _SPLITS[batch.split]
        rows = self._rows[split]
        for example in batch.examples:
            rows.append(read_example(self.request.kind, Place(split, len(rows) + 1), example))

    def _add_phrases(self, message: training_pb2.PhraseList) -> None:
        self._check_number(len(message.phrases), "phrases")
        part = read_phrases(message)
        self._phrases.setdefault((part.kind, part.name), []).extend(part.phrases)

    def _check_number(self, more: int, field: str) -> None:
        if self._number + sum(map(len, self._phrases.values())) + more > MAX_ROWS:
            raise InputError(f"more than {MAX_ROWS:,} examples and phrases: send a part of them", field=field)

    def _end(self, end: training_pb2.TrainingEnd) -> None:
        if end.examples != self._number:
            raise InputError(
                f"{self._number:,} examples came, but {end.examples:,} were sent: send them again",
                field="end.examples",
            )
        self._is_complete = True

    @property
    def _number(self) -> int:
        return sum(map(len, self._rows.values()))
