"""Who is told of a server's work as it goes on: metrics, traces. Without them, nobody listens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from nlu.batcher import Sized
    from nlu.reader import Reading
    from nlu.status import Status
    from skills.parse import ParseRequest

RowT = TypeVar("RowT", bound="Sized")
OutputT = TypeVar("OutputT")


@dataclass(frozen=True)
class Answered:
    """One utterance that was answered; times in `time.monotonic()` seconds."""

    request: ParseRequest
    reading: Reading
    began: float
    ended: float


class Observer:
    """Does nothing with what it is told. Callers wait meanwhile, so methods must be quick, and never raise.

    `began`, `failed`, `answered` and `ended` come in the task that answers the call, or in one of its own.
    """

    def began(self, metadata: Iterable[tuple[str, str | bytes]], request_id: str) -> None:
        """A call is there, with its metadata or headers."""

    def ended(self, method: str, code: str, seconds: float) -> None:
        """The call is over; the method is one of ours, the code of gRPC or of HTTP."""

    def failed(self, status: Status) -> None:
        """The caller is told of an error: of the call, or of one item of many."""

    def answered(self, answer: Answered) -> None:
        """An utterance was answered: by a call, or as one item of many."""

    def computed(self, batcher: str, lengths: Sequence[int], padding: int) -> None:
        """A batch was computed: the tokens of its rows, and those that filled them up; in any thread."""

    def close(self) -> None:
        """Nothing more will come."""


class Observers(Observer):
    """Tells several."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = tuple(observers)

    def began(self, metadata: Iterable[tuple[str, str | bytes]], request_id: str) -> None:
        for each in self._observers:
            each.began(metadata, request_id)

    def ended(self, method: str, code: str, seconds: float) -> None:
        for each in self._observers:
            each.ended(method, code, seconds)

    def failed(self, status: Status) -> None:
        for each in self._observers:
            each.failed(status)

    def answered(self, answer: Answered) -> None:
        for each in self._observers:
            each.answered(answer)

    def computed(self, batcher: str, lengths: Sequence[int], padding: int) -> None:
        for each in self._observers:
            each.computed(batcher, lengths, padding)

    def close(self) -> None:
        for each in self._observers:
            each.close()


NOBODY = Observer()
# Every call runs in a task of its own.
_current: ContextVar[Observer] = ContextVar("observer", default=NOBODY)


def current_observer() -> Observer:
    """Return who is told of the call that is being answered."""
    return _current.get()


def set_observer(observer: Observer) -> None:
    """Say who is told of the call that this task answers."""
    _current.set(observer)


def observed(
    process: Callable[[Sequence[RowT]], Sequence[OutputT]],
    observer: Observer,
    batcher: str,
    *,
    pads: bool = False,
) -> Callable[[Sequence[RowT]], Sequence[OutputT]]:
    """Return `process` that tells of its batches; one that `pads` fills all rows up to the longest."""

    def run(rows: Sequence[RowT]) -> Sequence[OutputT]:
        outputs = process(rows)
        lengths = [row.length for row in rows]
        padding = len(lengths) * max(lengths, default=0) - sum(lengths) if pads else 0
        observer.computed(batcher, lengths, padding)
        return outputs

    return run
