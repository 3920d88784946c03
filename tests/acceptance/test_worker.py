"""Workers as processes: what becomes of jobs when trainings, workers and data are broken on purpose."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from skills.job import JobRequest, JobState
from skills.skill import SkillKind
from storage.catalog import Catalog
from tests.acceptance.worker_process import (
    LONG,
    TEXTS,
    assert_went_on,
    ended,
    is_alive,
    is_checkpointed,
    submit,
    worker,
)
from tests.contract import conftest
from tests.soon import PATIENCE, soon
from training.cli.program import program

postgres = conftest.postgres
empty_url = conftest.empty_url
url = conftest.url


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    opened = Catalog.open(url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def sqlite_catalog(sqlite_url: str) -> Iterator[Catalog]:
    opened = Catalog.open(sqlite_url)
    yield opened
    opened.close()


def test_poisoned_jobs_fail_with_the_reason_and_the_next_one_is_done(
    sqlite_catalog: Catalog, sqlite_url: str, tmp_path: Path
) -> None:
    catalog = sqlite_catalog
    killed = submit(catalog, "killed", LONG, priority=2)
    request = JobRequest("bad", SkillKind.INTENT)
    bad = catalog.jobs.submit(request, b'{"format": 1, "kind": "nothing"}\n', priority=1)
    engine = create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET max_attempts = 1 WHERE id = :id"), {"id": killed.id})
    engine.dispose()
    rows = [{"text": text, "intent": intent} for intent, texts in TEXTS.items() for text in texts]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = ["jobs", "submit", "chat", "--kind", "intent", "--data", str(data), "--set", "max_steps=2"]
    submitted = CliRunner().invoke(program, [*command, "--catalog", sqlite_url, "--json"])

    with worker(sqlite_url, tmp_path / "log", "--drain") as drained:
        os.kill(soon(drained.training), signal.SIGKILL)
        code = drained.process.wait(PATIENCE)

    assert code == 0
    jobs = {job.request.skill: job for job in catalog.jobs.list()}
    assert (jobs["killed"].state, jobs["bad"].state) == (JobState.FAILED, JobState.FAILED)
    assert "killed (SIGKILL), probably out of memory" in jobs["killed"].reason
    assert jobs["bad"].reason.startswith("training data:1: kind is 'nothing'")
    assert (jobs["bad"].id, jobs["bad"].attempts) == (bad.id, 1)
    good = jobs["chat"]
    assert good.id == json.loads(submitted.stdout)["id"]
    assert (good.state, good.version, good.reason) == (JobState.SUCCEEDED, 1, "")
    (version,) = catalog.versions()
    assert (version.name, version.aliases) == ("chat", ("live",))
    assert version.provenance.config["max_steps"] == 2


def test_another_worker_goes_on_where_a_killed_one_was(catalog: Catalog, url: str, tmp_path: Path) -> None:
    job = submit(catalog, "chat", LONG)
    with worker(url, tmp_path / "first") as first:
        soon(lambda: is_checkpointed(catalog, job))
        training = soon(first.training)
        first.process.kill()
        soon(lambda: not is_alive(training))  # it ends with its worker
        with worker(url, tmp_path / "second") as second:
            found = soon(lambda: ended(catalog, job))
            code = second.stop()

    assert (found.state, found.version, code) == (JobState.SUCCEEDED, 1, 0)
    assert found.attempts >= 2
    assert_went_on(second)
    assert len(catalog.versions()) == 1


def test_a_training_gives_way_to_other_processes_and_to_other_sessions(
    sqlite_catalog: Catalog, sqlite_url: str, tmp_path: Path
) -> None:
    submit(sqlite_catalog, "chat", LONG)
    with worker(sqlite_url, tmp_path / "log", "--nice", "3") as polite:
        training = soon(polite.training)
        soon(lambda: how_it_gives_way(training) == (3, training, "3"))


def test_a_zombie_publishes_nothing(sqlite_catalog: Catalog, sqlite_url: str, tmp_path: Path) -> None:
    catalog, job = sqlite_catalog, submit(sqlite_catalog, "chat", LONG)
    with worker(sqlite_url, tmp_path / "zombie", "--once") as zombie:
        soon(lambda: is_checkpointed(catalog, job))
        zombie.signal_all(signal.SIGSTOP)
        with worker(sqlite_url, tmp_path / "second") as second:
            found = soon(lambda: ended(catalog, job))
            zombie.signal_all(signal.SIGCONT)
            code = zombie.process.wait(PATIENCE)
            second.stop()

    assert (found.state, found.worker.endswith(f":{second.process.pid}")) == (JobState.SUCCEEDED, True)
    assert_went_on(second)
    assert code == 0
    assert f"job {job.id} is not of" in zombie.log.read_text()
    assert len(catalog.versions()) == 1
    assert catalog.jobs.get(job.id) == found


def test_a_job_is_cancelled_and_another_given_back(
    sqlite_catalog: Catalog, sqlite_url: str, tmp_path: Path
) -> None:
    catalog = sqlite_catalog
    unwanted, kept = (submit(catalog, skill, LONG) for skill in ("unwanted", "kept"))
    with worker(sqlite_url, tmp_path / "log") as stopped:
        soon(lambda: catalog.jobs.get(unwanted.id).progress.step)
        catalog.jobs.cancel(unwanted.id)
        cancelled = soon(lambda: ended(catalog, unwanted))
        soon(lambda: catalog.jobs.get(kept.id).progress.step)
        code = stopped.stop()

    assert (cancelled.state, cancelled.version) == (JobState.CANCELLED, None)
    assert code == 0
    released = catalog.jobs.get(kept.id)
    assert (released.state, released.attempts) == (JobState.QUEUED, 0)
    assert is_checkpointed(catalog, kept)
    assert catalog.versions() == []


def how_it_gives_way(process: int) -> tuple[int, int, str]:
    """Return its niceness above ours, its session, and the niceness of that, which not every Linux has."""
    group = Path(f"/proc/{process}/autogroup")
    niceness = os.getpriority(os.PRIO_PROCESS, process) - os.getpriority(os.PRIO_PROCESS, 0)
    return niceness, os.getsid(process), group.read_text().split()[-1] if group.exists() else str(niceness)
