from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from skills.job import JobProgress, JobRequest, JobState, Lease
from skills.skill import SkillKind
from skills.training_data import TrainingData
from storage.catalog import Catalog
from tests.contract import conftest
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


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["jobs", *arguments], prog_name="softspoken")


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def submitted(catalog: Catalog, skill: str = "banking", **options: Any) -> int:
    return catalog.jobs.submit(JobRequest(skill, SkillKind.INTENT), b"rows", **options).id


def claimed(catalog: Catalog) -> Lease:
    submitted(catalog)
    lease = catalog.jobs.claim("ada")
    assert lease is not None
    return lease


SUBMIT = ("submit", "banking", "--kind", "intent", "--data", "data.jsonl")


def test_submit_queues_what_train_would_run(catalog: Catalog) -> None:
    options = ["--priority", "3", "--min", "accuracy=0.9", "--no-regression", "--tolerance", "0.01"]

    result = run(*SUBMIT, "--seed", "7", "--set", "max_steps=5", *options)

    assert (result.exit_code, result.stdout) == (0, "job 1 is queued\n")
    job = catalog.jobs.get(1)
    assert (job.state, job.priority, job.attempts) == (JobState.QUEUED, 3, 0)
    assert job.request == JobRequest(
        "banking",
        SkillKind.INTENT,
        {"seed": 7, "max_steps": 5},
        gates={"minimum": {"accuracy": 0.9}, "no_regression": True, "tolerance": 0.01},
    )
    data = TrainingData.from_bytes(catalog.jobs.data(job))
    assert (data.kind, len(data.train), data.dev) == (SkillKind.INTENT, 6, None)


@pytest.mark.parametrize("given", ["live", "banking@live", "1"])
def test_a_skill_grows_from_the_version_that_is_named_when_it_is_submitted(
    catalog: Catalog, make_draft: conftest.MakeDraft, given: str
) -> None:
    catalog.publish(make_draft("banking", labels=("a", "b")), alias="live")

    assert document(*SUBMIT, "--from", given, "--no-promote")["request"]["grown_from"] == "banking@1"
    assert catalog.jobs.get(1).request.alias is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "none.jsonl"], "none.jsonl: no such file"),
        (["--set", "max_step=1"], "did you mean 'max_steps'?"),
        (["--min", "accuracy"], "--min 'accuracy' is not METRIC=VALUE"),
        (["--min", "accuracy=nan"], "write a finite number"),
        (["--from", "live"], "no skill 'banking'"),
    ],
)
def test_what_cannot_be_trained_is_not_queued(catalog: Catalog, arguments: list[str], message: str) -> None:
    result = run(*SUBMIT, *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert catalog.jobs.list() == []


def test_jobs_are_listed_and_shown(catalog: Catalog) -> None:
    lease = claimed(catalog)
    catalog.jobs.heartbeat(lease, JobProgress("tune", 5, 10, 0.5))
    submitted(catalog, "travel")
    catalog.jobs.cancel(lease.job.id)

    lines = run("list").stdout.splitlines()
    shown = run("show", "1").stdout

    assert lines[1].split()[:4] == ["2", "travel", "intent", "queued"]
    assert "running, to be cancelled  tune 5/10  1/3" in lines[2]
    assert "worker       ada" in shown
    assert "progress     tune 5/10" in shown
    assert [job["id"] for job in document("list", "--state", "running", "--skill", "banking")] == [1]
    assert document("show", "1")["progress"]["loss"] == 0.5
    assert "there are no such jobs" in run("list", "--skill", "nothing").stderr


def test_a_job_is_cancelled_and_retried(catalog: Catalog) -> None:
    waiting = str(submitted(catalog, priority=-1))

    assert run("cancel", waiting).stdout == f"job {waiting} is cancelled\n"
    assert run("retry", waiting).stdout == f"job {waiting} is queued\n"
    running = str(claimed(catalog).job.id)
    assert run("cancel", running).stdout == f"job {running} ends at its worker's next sign of life\n"
    assert document("cancel", waiting)["state"] == "cancelled"
    assert (run("retry", running).exit_code, run("show", "9").exit_code) == (2, 2)
    assert "no job 9; the newest is 2" in run("watch", "9").stderr


def test_watching_ends_as_the_job_does(catalog: Catalog, make_draft: conftest.MakeDraft) -> None:
    failed, published = claimed(catalog), claimed(catalog)
    catalog.jobs.fail(failed, "no such disk", retry=False)
    catalog.publish(make_draft("banking"), lease=published, reason="accuracy is 0.5")

    good, bad = (run("watch", str(lease.job.id)) for lease in (published, failed))

    assert (good.exit_code, good.stdout) == (0, f"job {published.job.id} published banking@1\n")
    assert good.stderr == "not promoted: accuracy is 0.5\n"
    assert (bad.exit_code, bad.stderr) == (1, f"error: job {failed.job.id} failed: no such disk\n")
    assert document("watch", str(published.job.id))["version"] == 1


def test_a_watched_job_says_how_far_it_is(
    catalog: Catalog, make_draft: conftest.MakeDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    happenings: Iterator[Any] = iter(
        [
            lambda lease: catalog.jobs.heartbeat(lease, JobProgress("tune", 5, 10, 0.5)),
            lambda lease: catalog.publish(make_draft("banking"), lease=lease),
        ]
    )
    leases: list[Lease] = []

    def meanwhile(seconds: float) -> None:
        """What a worker does between two looks."""
        if leases:
            next(happenings)(leases[0])
        elif lease := catalog.jobs.claim("ada"):
            leases.append(lease)

    monkeypatch.setattr(time, "sleep", meanwhile)

    result = run(*SUBMIT, "--watch")

    assert (result.exit_code, result.stdout) == (0, "job 1 is queued\njob 1 published banking@1\n")
    assert result.stderr.splitlines() == [
        "job 1 waits for a worker",
        "job 1 runs on ada, attempt 1 of 3",
        "training: 50 % (5/10 steps), loss 0.500",
    ]
