"""What a worker does without a training; tests/acceptance/test_worker.py has real ones."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from nlu.stop_signal import StopSignal
from skills.errors import CatalogError
from skills.job import JobRequest, JobState
from skills.skill import SkillKind
from storage.catalog import Catalog
from training.job_process import JobSettings
from training.resources import Resources
from training.worker import Worker, how_it_died


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    opened = Catalog.open(url)
    yield opened
    opened.close()


@pytest.fixture
def stop() -> Iterator[StopSignal]:
    """The signals of this process, put back afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield StopSignal()
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def worker(catalog: Catalog, url: str) -> Worker:
    return Worker(catalog, JobSettings(url, Resources(), concurrency=2, nice=0))


def deliver(number: int) -> None:
    """Call what handles a signal, as Python would; acceptance tests send real ones to real workers."""
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)


@pytest.mark.parametrize(
    ("exit_code", "words"),
    [
        (-9, "the training's process was killed (SIGKILL), probably out of memory"),
        (-11, "the training's process died of SIGSEGV"),
        (-40, "the training's process died of signal 40"),
        (1, "the training's process ended with code 1; the worker's log has more"),
    ],
)
def test_how_a_process_died(exit_code: int, words: str) -> None:
    assert how_it_died(exit_code) == words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_worker_that_waits(worker: Worker, stop: StopSignal, number: int) -> None:
    assert not stop.came

    deliver(number)
    worker.run(stop)

    assert stop.came
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # a second one ends it at once


def test_draining_an_empty_queue_ends(worker: Worker, stop: StopSignal) -> None:
    worker.run(stop, drain=True)

    assert not stop.came


def test_a_job_whose_process_cannot_be_started_is_tried_again_later(
    worker: Worker, stop: StopSignal, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: SpawnProcess) -> None:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(SpawnProcess, "start", start)
    job = catalog.jobs.submit(JobRequest("chat", SkillKind.INTENT), b"rows")

    worker.run(stop, drain=True)

    found = catalog.jobs.get(job.id)
    assert (found.state, found.attempts) == (JobState.QUEUED, 1)
    assert found.reason == "no process could be started (Cannot allocate memory): free some memory"


def test_a_catalog_that_is_away_is_waited_for_unless_draining(
    worker: Worker, stop: StopSignal, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: object, **options: object) -> None:
        deliver(signal.SIGTERM)  # so that the worker ends after this try
        raise CatalogError("no server")

    monkeypatch.setattr(catalog.jobs, "claim", away)

    worker.run(stop)
    with pytest.raises(CatalogError, match="no server"):
        monkeypatch.setattr(catalog.jobs, "claim", _away)
        worker.run(StopSignal(), drain=True)


def _away(*arguments: object, **options: object) -> None:
    raise CatalogError("no server")
