"""What becomes of the job of a training in place that does not end well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from skills.errors import BackboneError, JobCancelledError
from skills.job import JobState, Lease
from storage.catalog import Catalog
from tests.contract import conftest
from training import job_run
from training.cli.program import program

make_draft = conftest.make_draft


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """The catalog of a working directory that has a data file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", "sqlite:///catalog.db")
    rows = [{"text": f"text {number} of {label}", "intent": label} for label in "ab" for number in range(3)]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    opened = Catalog.open("sqlite:///catalog.db")
    yield opened
    opened.close()


def train(*options: str) -> Result:
    command = ["train", "banking", "--kind", "intent", "--data", "data.jsonl", *options]
    return CliRunner().invoke(program, command)


@pytest.mark.parametrize(
    ("error", "code", "message", "state", "reason"),
    [
        (
            KeyboardInterrupt(),
            130,
            "interrupted: no version of 'banking' was stored",
            "cancelled",
            "cancelled",
        ),
        (BackboneError("no backbone"), 1, "error: no backbone", "failed", "no backbone"),
        (MemoryError(), None, "", "failed", "out of memory"),
        (JobCancelledError("job 1 was cancelled"), 1, "error: job 1 was cancelled", "running", ""),
    ],
)
def test_the_job_ends_as_its_training_does(
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int | None,
    message: str,
    state: str,
    reason: str,
) -> None:
    def run_job(*arguments: Any, **options: Any) -> None:
        raise error

    monkeypatch.setattr(job_run, "run_job", run_job)

    result = train()

    if code is None:
        assert result.exception is error  # a fault of ours keeps its traceback
    else:
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (code, message)
    (job,) = catalog.jobs.list()
    assert (job.state, job.max_attempts) == (JobState(state), 1)
    assert job.reason.startswith(reason)
    assert catalog.versions() == []


def test_an_interrupt_after_the_publication_does_not_deny_it(
    catalog: Catalog, make_draft: conftest.MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_job(opened: Catalog, lease: Lease, *arguments: Any, **options: Any) -> None:
        opened.publish(make_draft("banking"), lease=lease)
        raise KeyboardInterrupt

    monkeypatch.setattr(job_run, "run_job", run_job)

    result = train()

    assert result.exit_code == 130
    assert "no version" not in result.stderr
    assert catalog.jobs.list()[0].state is JobState.SUCCEEDED


def test_a_retry_goes_on_from_the_same_peft_checkpoint(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_job(*arguments: Any, **options: Any) -> None:
        raise BackboneError("no backbone")

    monkeypatch.setattr(job_run, "run_job", run_job)
    Path("prompt").mkdir()

    train("--from-peft", "prompt")
    (failed,) = catalog.jobs.list()

    assert catalog.jobs.retry(failed.id).request.peft == str(Path("prompt").resolve())
