"""How far a training is: a bar on a terminal, a line every tenth elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from skills.job import JobProgress
from training.cli.output import percent, print_message

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

OnProgress = Callable[[JobProgress], None]

_RUNS = {
    "tune": "training",
    "refit": "training on all rows",
    "teacher": "asking the teacher",
    "adapt": "making the adapter",
}
_LINES = 10  # of one run


@contextmanager
def training_progress(*, quiet: bool) -> Iterator[OnProgress]:
    """Yield what a training tells how far it is; writes to standard error."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _Bars(bar)
    else:
        yield _Lines()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        console=Console(stderr=True),
    )


class _Bars:
    """One bar for each run."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, progress: JobProgress) -> None:
        run = progress.run
        if run not in self._tasks:
            for task in self._tasks.values():
                if not self._bar.tasks[task].finished:
                    self._bar.update(task, state="stopped early, at its best")
            self._tasks[run] = self._bar.add_task(_RUNS.get(run, run), total=progress.steps, state="")
        self._bar.update(self._tasks[run], completed=progress.step, state=_state(progress))


class _Lines:
    """A line at each tenth of each run."""

    def __init__(self) -> None:
        self._tenths: dict[str, int] = {}

    def __call__(self, progress: JobProgress) -> None:
        run, tenth = progress.run, _LINES * progress.step // progress.steps
        if tenth > self._tenths.get(run, 0):
            self._tenths[run] = tenth
            done = f"{100 * tenth // _LINES} % ({progress.step}/{progress.steps} steps)"
            print_message(f"{_RUNS.get(run, run)}: {done}, {_state(progress)}")


def _state(progress: JobProgress) -> str:
    score = "" if progress.dev_score is None else f", dev {progress.score_name} {percent(progress.dev_score)}"
    left = "" if progress.seconds_left is None else f", {clock(progress.seconds_left)} left"
    return f"loss {progress.loss:.3f}{score}{left}"


def clock(seconds: float) -> str:
    """Return a duration as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
