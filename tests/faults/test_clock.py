"""Clocks that jump: a job may be trained twice, but it publishes once, and none waits for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from skills.job import JobRequest, JobState
from skills.skill import SkillKind
from storage.catalog import Catalog
from tests.contract import conftest
from tests.faults.processes import PATIENCE, ROOT

DAY = 86_400

postgres = conftest.postgres
empty_url = conftest.empty_url
url = conftest.url

# A worker of one job whose clock can be set: it does what it reads, and says how that went.
WORKER = """
import datetime, sys
import storage.database
from skills.errors import LeaseLostError
from skills.job import JobProgress
from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind
from storage.catalog import Catalog

class Clock(datetime.datetime):
    ahead = 0.0

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) + datetime.timedelta(seconds=cls.ahead)

storage.database.datetime = Clock
catalog, name, lease = Catalog.open(sys.argv[1]), sys.argv[2], None
progress = JobProgress("tune", 1, 2, 0.5)
draft = SkillDraft(
    "banking", SkillKind.INTENT, Method.DEEP_PROMPT, ("yes",), "b" * 64, {}, Calibration(), {},
    Provenance("d" * 64, 1, 0, {}, "1.0", 1.0), name.encode(),
)

def claim():
    global lease
    lease = catalog.jobs.claim(name)
    return lease is not None

def done(act):
    try:
        return act() is not False
    except LeaseLostError:
        return False

acts = {
    "claim": claim,
    "beat": lambda: catalog.jobs.heartbeat(lease, progress),
    "fail": lambda: catalog.jobs.fail(lease, "on purpose", retry=True),
    "publish": lambda: catalog.publish(draft, alias="live", lease=lease),
}
for line in sys.stdin:
    act, ahead = line.split()
    Clock.ahead = float(ahead)
    print(done(acts[act]), flush=True)
"""


class Worker:
    """A process that acts at a time of its own."""

    def __init__(self, url: str, name: str) -> None:
        command = [sys.executable, "-W", "error", "-c", WORKER, url, name]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)

    def can(self, act: str, *, ahead: float = 0.0) -> bool:
        """Let it do something with its clock so many seconds ahead, and return whether it could."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{act} {ahead}\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline().strip()
        assert said in ("True", "False"), "the worker is gone"
        return said == "True"


@pytest.fixture
def workers(url: str) -> Iterator[tuple[Worker, Worker]]:
    pair = Worker(url, "one"), Worker(url, "other")
    yield pair
    for worker in pair:
        worker.process.communicate(timeout=PATIENCE)
        assert worker.process.returncode in (0, -signal.SIGKILL)


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    opened = Catalog.open(url)
    opened.jobs.submit(JobRequest("banking", SkillKind.INTENT), b"rows")
    yield opened
    opened.close()


def test_a_jump_lets_another_take_over_and_one_alone_publishes(
    url: str, catalog: Catalog, workers: tuple[Worker, Worker]
) -> None:
    one, other = workers
    assert one.can("claim")
    # A server's clock is everyone's, so that there the lease is still held.
    taken = other.can("claim", ahead=DAY)
    assert taken is url.startswith("sqlite")
    if taken:
        assert not one.can("beat")
        assert not one.can("publish")
        assert other.can("publish", ahead=-DAY)
    else:
        assert one.can("publish", ahead=-DAY)
    (version,) = catalog.versions()
    (job,) = catalog.jobs.list()
    assert (job.state, job.version) == (JobState.SUCCEEDED, version.version)


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("last", ["beat", "fail"])
def test_what_a_wrong_clock_wrote_keeps_no_job_waiting(
    catalog: Catalog, workers: tuple[Worker, Worker], last: str
) -> None:
    one, other = workers
    assert one.can("claim", ahead=DAY)
    assert one.can(last, ahead=DAY)
    one.process.kill()
    assert other.can("claim")
    assert other.can("publish")
    assert len(catalog.versions()) == 1
