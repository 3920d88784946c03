"""Workers as processes: what becomes of jobs when trainings, workers and data are broken on purpose."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from skills.job import Job, JobRequest, JobState, Lease
from skills.skill import SkillKind
from skills.training_data import TrainingData
from skills.utterance import Utterance
from storage.catalog import Catalog
from tests.contract import conftest
from training import cli
from training.cli.program import program

ROOT = Path(cli.__file__).parents[2]
PATIENCE = 120.0  # seconds, on a machine that is busy with something else
LEASE = 1.0  # second; a checkpoint twice as often
TEXTS = {
    "greet": ["hello", "hi there", "good morning to you", "hey, how are you", "greetings", "good evening"],
    "weather": ["will it rain", "how hot is it", "is it snowing", "do I need an umbrella", "is there fog"],
}
LONG = {
    "batch_rows": 4,
    "prompt_length": 2,
    "max_steps": 150,
    "min_steps": 150,
    "patience": 100,
    "refit_rows": 0,
}

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


class WorkerProcess:
    """`softspoken worker` in a session of its own, with its log."""

    def __init__(self, url: str, log: Path, *options: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "training.cli", "worker", "--catalog", url, "--poll", "0.2"]
        settings = ["--lease", str(LEASE), "--threads", "1", "--nice", "0"]
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                [*command, *settings, *options], cwd=ROOT, stderr=stream, start_new_session=True
            )

    def training(self) -> int | None:
        """Return the process of a job; None if there is none."""
        pid = self.process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        return None

    def signal_all(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def stop(self) -> int:
        """Tell it to stop, and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def worker(url: str, log: Path, *options: str) -> Iterator[WorkerProcess]:
    started = WorkerProcess(url, log, *options)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.signal_all(signal.SIGKILL)
        started.process.wait()


def soon(found: Callable[[], Any]) -> Any:
    """Return what a function finds, once it finds something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def submit(catalog: Catalog, skill: str, settings: dict[str, Any], **options: Any) -> Job:
    rows = tuple(Utterance(text, intent) for intent, texts in TEXTS.items() for text in texts)
    data = TrainingData(SkillKind.INTENT, rows).to_bytes()
    return catalog.jobs.submit(JobRequest(skill, SkillKind.INTENT, settings), data, **options)


def is_checkpointed(catalog: Catalog, job: Job) -> bool:
    return catalog.jobs.checkpoint(Lease(job, 0)) is not None


def ended(catalog: Catalog, job: Job) -> Job | None:
    found = catalog.jobs.get(job.id)
    return found if found.state.is_final else None


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


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


def assert_went_on(worker: WorkerProcess) -> None:
    step = re.search(r"goes on after step (\d+) of", worker.log.read_text())
    assert step is not None
    assert int(step.group(1)) > 0
