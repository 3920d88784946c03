"""SIGKILL at random moments: nothing that was acknowledged is lost, nothing half-published is served."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from nlu.backbone import Backbone
from nlu.client import Client, ParseRequest
from nlu.training_client import ClientError, Example, SkillKind, TrainingClient, TrainingSpec
from skills.job import JobState
from skills.skill import SkillDraft
from storage.catalog import Catalog
from tests.contract import conftest
from tests.faults.processes import PATIENCE, ROOT, SOON, Server, serving

PUBLICATIONS = 50
ROUNDS = int(os.environ.get("SOFTSPOKEN_KILL_ROUNDS", "1"))  # of server and worker; 50 take an hour or less
LEASE = 5  # s; less is lost on a machine that is busy with something else
STEADY = 3  # versions of a skill that is promoted all the time
UNDYING = {**SOON, "storage.job_rows.MAX_ATTEMPTS": 1000}  # three kills are not a reason to give up here

postgres = conftest.postgres
empty_url = conftest.empty_url
url = conftest.url

# Forked, as a Python that has to import first would die long before it publishes.
PUBLISHER = """
import os, random, signal, sys, time
from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind
from storage.catalog import Catalog

def publish(seed, acknowledge):
    catalog = Catalog.open(sys.argv[1])
    os.write(acknowledge, b"ready\\n")
    while True:
        tensors = random.Random(seed).randbytes(1_500_000)
        seed += 1000
        draft = SkillDraft(
            "banking", SkillKind.INTENT, Method.DEEP_PROMPT, ("yes",), "b" * 64, {}, Calibration(), {},
            Provenance("d" * 64, 1, 0, {}, "1.0", 1.0), tensors,
        )
        found = catalog.publish(draft, alias="live")
        os.write(acknowledge, f"{found.version} {found.sha256}\\n".encode())

moments = random.Random(13)
for seed in range(int(sys.argv[2])):
    acknowledged, acknowledge = os.pipe()
    child = os.fork()
    if not child:
        publish(seed, acknowledge)
    os.close(acknowledge)
    with open(acknowledged) as lines:
        lines.readline()
        time.sleep(moments.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        print(*(line.strip() for line in lines), sep=",", flush=True)
    os.waitpid(child, 0)
    sys.stdin.readline()
"""


def test_a_publisher_killed_midway_publishes_whole_versions_or_none(url: str) -> None:
    command = [sys.executable, "-W", "error", "-c", PUBLISHER, url, str(PUBLICATIONS)]
    catalog, acknowledged = Catalog.open(url), dict[int, str]()
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as killer:
        assert killer.stdin is not None
        assert killer.stdout is not None
        for line in killer.stdout:
            acknowledged |= {
                int(each.split()[0]): each.split()[1] for each in line.split(",") if each.strip()
            }
            for version in catalog.aliased():
                assert catalog.tensors(version)  # which checks their SHA-256
                assert version.version >= max(acknowledged, default=1)
            killer.stdin.write("\n")
            killer.stdin.flush()
    stored = {version.version: version.sha256 for version in catalog.versions()}
    catalog.close()

    assert killer.returncode == 0
    assert acknowledged.items() <= stored.items()
    assert sorted(stored) == list(range(1, len(stored) + 1))
    assert len(stored) - len(acknowledged) <= PUBLICATIONS  # stored, but the word did not get through


@dataclass
class Acknowledged:
    """What the servers have said yes to; the last promotion may have been done although nobody heard."""

    jobs: set[int] = field(default_factory=set)
    live: set[int] = field(default_factory=lambda: {STEADY})
    asked: int = 0


@pytest.mark.timeout(300 * (1 + ROUNDS))
def test_killed_servers_and_workers_lose_nothing(
    tmp_path: Path, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    url, acknowledged = f"sqlite:///{tmp_path / 'catalog.db'}", Acknowledged()
    catalog, moments = Catalog.open(url), random.Random(13)  # noqa: S311 - the same in every run
    for seed in range(STEADY):
        catalog.publish(make_draft(backbone, "steady", seed=seed), alias="live")

    for number in range(ROUNDS):
        with (
            working(url, tmp_path / "worker") as worker,
            serving(url, tmp_path / "server", bounds=UNDYING, training=True) as server,
        ):
            killing = threading.Timer(moments.uniform(0, 8), server.process.kill)
            killing.start()
            use(server, acknowledged, wants_job=number % 5 == 0)
            killing.join()
            time.sleep(moments.uniform(0, 4))
            kill_all(worker)
        (steady,) = catalog.aliased()[-1:]
        assert steady.name == "steady" and steady.version in acknowledged.live
        assert {job.id for job in catalog.jobs.list()} >= acknowledged.jobs

    time.sleep(LEASE)  # the job of the last worker that was killed is due when its lease is over
    with working(url, tmp_path / "worker", "--drain") as worker:
        assert worker.wait(2 * PATIENCE) == 0
    assert acknowledged.asked > 0
    jobs = [catalog.jobs.get(each) for each in acknowledged.jobs]
    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    assert {version.version for version in catalog.versions("trained")} == {job.version for job in jobs}
    assert len({job.version for job in jobs}) == len(jobs)
    for version in catalog.versions():
        assert catalog.tensors(version)
    catalog.close()


def use(server: Server, acknowledged: Acknowledged, *, wants_job: bool) -> None:
    """Ask for answers, promotions and a training until the server is gone."""
    examples = [Example(f"{word} {ending}", intent=word) for word in ("yes", "no") for ending in "abcdef"]
    spec = TrainingSpec("trained", SkillKind.INTENT, {"max_steps": "2", "min_steps": "2"}, alias=None)
    with (
        TrainingClient(server.address, timeout=PATIENCE) as training,
        Client(server.address, timeout=PATIENCE) as client,
    ):
        try:
            if wants_job:
                acknowledged.jobs.add(training.submit(spec, examples).id)
            while True:
                for version in range(1, STEADY + 1):
                    acknowledged.live |= {version}
                    training.promote(f"steady@{version}")
                    acknowledged.live = {version}
                    (result,) = client.parse(ParseRequest("yes", skills=("steady",))).results
                    assert 1 <= result.skill.version <= STEADY
                    acknowledged.asked += 1
        except ClientError:
            server.process.wait(PATIENCE)


@contextmanager
def working(url: str, log: Path, *options: str) -> Iterator[psutil.Popen]:
    command = [sys.executable, "-m", "training.cli", "worker", "--catalog", url, "--poll", "0.2"]
    settings = ["--lease", str(LEASE), "--threads", "1", "--nice", "0"]
    with log.open("a") as stream:
        process = psutil.Popen([*command, *settings, *options], cwd=ROOT, stderr=stream)
    try:
        yield process
    finally:
        kill_all(process)


def kill_all(process: psutil.Popen) -> None:
    """Kill a worker and, so that nothing is left of it, its trainings."""
    if process.poll() is None:
        children = process.children(recursive=True)
        process.kill()
        for child in children:
            child.kill()
    process.wait(PATIENCE)
