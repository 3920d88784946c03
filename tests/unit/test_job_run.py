"""Jobs that run in this process, on a real catalog and the embedded backbone."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlu.backbone import Backbone
from skills.errors import (
    BackboneError,
    CatalogError,
    InputError,
    JobCancelledError,
    LeaseLostError,
    SkillRefusedError,
)
from skills.job import JobProgress, JobRequest, JobState, Lease
from skills.skill import SkillKind, SkillRef, SkillVersion
from skills.training_data import TrainingData
from skills.utterance import Utterance
from storage.catalog import Catalog
from training import job_run
from training.job_run import JobResult, patiently, reason_of, run_job, tell_failure
from training.resources import Resources

QUICK = {"batch_rows": 4, "prompt_length": 2, "min_steps": 6, "max_steps": 6, "refit_rows": 0}
TEXTS = {
    "greet": ("hello", "hi there", "good morning", "good evening", "greetings"),
    "weather": ("will it rain", "is it snowing", "how hot is it", "is there fog", "is it windy"),
}
ROWS = tuple(Utterance(text, intent) for intent, texts in TEXTS.items() for text in texts)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture
def resources(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> Resources:
    """One thread, and the backbone that is loaded already."""
    monkeypatch.setattr(Resources, "load_backbone", lambda self: backbone)
    cache = os.environ.get("SOFTSPOKEN_CACHE_DIR")
    return Resources(cache=Path(cache) if cache else None, threads=1)


def submit(catalog: Catalog, data: TrainingData | bytes | None = None, **request: Any) -> None:
    if data is None:
        data = TrainingData(SkillKind.INTENT, ROWS)
    asked = JobRequest(**{"skill": "chat", "kind": SkillKind.INTENT, "config": QUICK, **request})
    catalog.jobs.submit(asked, data if isinstance(data, bytes) else data.to_bytes())


def claim(catalog: Catalog, worker: str = "ada", **options: Any) -> Lease:
    lease = catalog.jobs.claim(worker, **options)
    assert lease is not None
    return lease


def test_a_job_is_trained_and_published(catalog: Catalog, resources: Resources) -> None:
    submit(catalog)
    lease, seen = claim(catalog), list[JobProgress]()

    result = run_job(catalog, lease, resources, on_progress=seen.append)

    job = catalog.jobs.get(lease.job.id)
    assert (job.state, job.version, job.reason) == (JobState.SUCCEEDED, 1, "")
    assert result.version == catalog.get(SkillRef("chat"))
    assert [(each.run, each.step, each.steps) for each in seen] == [("tune", step, 6) for step in range(1, 7)]
    assert job.progress == seen[-1]
    assert result.trained.held_out.metrics.as_flat_dict() == result.version.metrics


@pytest.mark.parametrize(("alias", "named"), [("live", ("candidate",)), ("candidate", ()), (None, ())])
def test_a_version_that_fails_its_gate_is_stored_and_not_promoted(
    catalog: Catalog, resources: Resources, alias: str | None, named: tuple[str, ...]
) -> None:
    submit(catalog, alias=alias, gates={"minimum": {"accuracy": 2.0}})

    result = run_job(catalog, claim(catalog), resources)

    assert result.version.aliases == named
    reason = catalog.jobs.list()[0].reason
    assert reason == result.reason
    assert ("at least 2 is needed" in reason) == (alias is not None)


def test_a_skill_grows_from_a_stored_version(catalog: Catalog, resources: Resources) -> None:
    submit(catalog)
    parent = run_job(catalog, claim(catalog), resources).version
    more = tuple(Utterance(f"play {what}", "music") for what in ("jazz", "a song", "the blues"))
    submit(catalog, TrainingData(SkillKind.INTENT, (*ROWS, *more)), grown_from="chat@live")

    grown = run_job(catalog, claim(catalog), resources).version

    assert (grown.version, grown.labels) == (2, (*sorted((*parent.labels, "music")),))
    assert grown.provenance.config["grown_from"] == "chat@1"


def test_a_stopped_training_goes_on_from_its_checkpoint(catalog: Catalog, resources: Resources) -> None:
    submit(catalog)
    first, steps = claim(catalog), list[int]()

    with pytest.raises(KeyboardInterrupt):
        run_job(
            catalog,
            first,
            resources,
            on_progress=lambda progress: steps.append(progress.step),
            is_stopping=lambda: len(steps) == 4,
        )
    catalog.jobs.release(first)
    again = list[int]()
    result = run_job(
        catalog, claim(catalog), resources, on_progress=lambda progress: again.append(progress.step)
    )

    assert (steps, again) == ([1, 2, 3, 4], [5, 6])
    assert result.version.version == 1


def test_a_cancelled_job_publishes_nothing(catalog: Catalog, resources: Resources) -> None:
    submit(catalog)
    lease = claim(catalog)

    def cancel(progress: JobProgress) -> None:
        if progress.step == 1:
            catalog.jobs.cancel(lease.job.id)

    with pytest.raises(JobCancelledError):
        run_job(catalog, lease, resources, on_progress=cancel)

    assert catalog.jobs.get(lease.job.id).state is JobState.CANCELLED
    assert catalog.versions() == []


def test_a_worker_that_was_taken_over_publishes_nothing(catalog: Catalog, resources: Resources) -> None:
    submit(catalog)
    lost = claim(catalog, lease_seconds=-1.0)
    winner = claim(catalog, "grace")

    with pytest.raises(LeaseLostError, match="grace has it"):
        run_job(catalog, lost, resources)

    result = run_job(catalog, winner, resources)
    assert catalog.versions() == [result.version]


@pytest.mark.parametrize(
    ("data", "request_fields", "message"),
    [
        (b"nonsense\n", {}, "training data:1"),
        (None, {"kind": SkillKind.SLOTS, "config": {}}, "the rows are of kind intent, the skill is to be"),
        (None, {"config": {"epochs": 0}}, "epochs is 0"),
        (None, {"gates": {"accuracy": 1}}, "gates have no 'accuracy'"),
        (None, {"grown_from": "chat@3"}, "no skill 'chat'"),
        (None, {"peft": "/nowhere", "config": {**QUICK, "method": "soft-prompt"}}, "/nowhere/adapter_config"),
        (TrainingData(SkillKind.INTENT, ROWS[:5]), {}, "training rows have 1 intents"),
    ],
)
def test_what_was_submitted_wrong_is_an_input_error(
    catalog: Catalog, resources: Resources, data: Any, request_fields: dict[str, Any], message: str
) -> None:
    submit(catalog, data, **request_fields)

    with pytest.raises(InputError, match=message):
        run_job(catalog, claim(catalog), resources)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (InputError("epochs is 0"), JobState.FAILED, "epochs is 0"),
        (SkillRefusedError("chat@1 is damaged"), JobState.FAILED, "chat@1 is damaged"),
        (BackboneError("no backbone"), JobState.QUEUED, "no backbone"),
        (CatalogError("no server"), JobState.QUEUED, "no server"),
        (MemoryError(), JobState.QUEUED, "out of memory: give the worker more, or lower its --concurrency"),
        (RuntimeError("[enforce] can't allocate memory: you tried"), JobState.QUEUED, "out of memory: give"),
        (OSError(errno.ENOSPC, "No space left on device"), JobState.QUEUED, "the worker's disk is full"),
        (ValueError("some\nlines"), JobState.QUEUED, "ValueError: some lines; the worker's log has more"),
    ],
)
def test_failures_have_a_reason_and_another_attempt_unless_it_is_hopeless(
    catalog: Catalog, error: Exception, state: JobState, reason: str
) -> None:
    submit(catalog)
    lease = claim(catalog)

    tell_failure(catalog, lease, error)

    job = catalog.jobs.get(lease.job.id)
    assert job.state is state
    assert job.reason.startswith(reason)
    assert job.reason == reason_of(error)


def test_a_publication_whose_answer_got_lost_counts_once(
    catalog: Catalog, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(catalog)
    publish, tries = catalog.publish, list[object]()

    def published_and_cut_off(*arguments: Any, **options: Any) -> SkillVersion:
        tries.append(publish(*arguments, **options))
        raise CatalogError("the connection broke")

    monkeypatch.setattr(catalog, "publish", published_and_cut_off)
    monkeypatch.setattr(job_run, "PAUSE", 0.0)

    result: JobResult = run_job(catalog, claim(catalog), resources)

    assert catalog.versions() == [result.version] == tries


def test_a_catalog_that_comes_back_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_run, "PAUSE", 0.0)
    answers: list[CatalogError | None] = [CatalogError("away"), CatalogError("away"), None]

    def call() -> str:
        error = answers.pop(0)
        if error is not None:
            raise error
        return "back"

    assert patiently(call) == "back"
    with pytest.raises(CatalogError, match="away"):
        patiently(_away, seconds=0.0)


def test_a_checkpoint_that_cannot_be_stored_does_not_end_a_training(
    catalog: Catalog, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(catalog)
    monkeypatch.setattr(catalog.jobs, "save_checkpoint", lambda lease, data: _away())

    assert run_job(catalog, claim(catalog), resources).version.version == 1


def _away() -> None:
    raise CatalogError("away")
