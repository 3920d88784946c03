"""`softspoken worker` as a process, and jobs for it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skills.job import Job, JobRequest, Lease
from skills.skill import SkillKind
from skills.training_data import TrainingData
from skills.utterance import Utterance
from storage.catalog import Catalog
from tests.soon import PATIENCE
from training import cli

ROOT = Path(cli.__file__).parents[2]
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


class WorkerProcess:
    """`softspoken worker` in a session of its own, with its log."""

    def __init__(self, url: str, log: Path, *options: str, lease: float = LEASE) -> None:
        self.log = log
        command = [sys.executable, "-m", "training.cli", "worker", "--catalog", url, "--poll", "0.2"]
        settings = ["--lease", str(lease), "--threads", "1", "--nice", "0"]
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
        """Signal the worker and its training, which has a session of its own."""
        training = self.training()
        self.process.send_signal(number)
        if training is not None:
            os.kill(training, number)

    def said(self, *words: str) -> bool:
        """Whether one line of the log has all these words."""
        return any(all(each in line for each in words) for line in self.log.read_text().splitlines())

    def stop(self) -> int:
        """Tell it to stop, and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)


@contextmanager
def worker(url: str, log: Path, *options: str, lease: float = LEASE) -> Iterator[WorkerProcess]:
    started = WorkerProcess(url, log, *options, lease=lease)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.signal_all(signal.SIGKILL)
        started.process.wait()


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


def assert_went_on(worker: WorkerProcess) -> None:
    step = re.search(r"goes on after step (\d+) of", worker.log.read_text())
    assert step is not None
    assert int(step.group(1)) > 0
