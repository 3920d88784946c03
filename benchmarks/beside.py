"""What a training beside a server costs: `Parse` of the server alone, and while a worker trains on its CPUs.

Servers and workers are processes of their own. Arrangements take turns, and the trainings of the others are
stopped meanwhile, so that what else the machine does meets all alike: compare a server's latencies with those
that it has alone. One caller. Training is the share of a CPU that the training gets.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.catalogs import databases, fill, skill_name
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.client import Client, ParseRequest
from nlu.compute import available_cpus, choose
from skills.formats import read_intents
from skills.job import JobRequest
from skills.skill import SkillKind
from skills.training_data import TrainingData
from skills.utterance import Utterance
from storage.catalog import Catalog

WARM_CALLS = 50
SETTLE_SECONDS = 0.2  # after a worker goes on
TIMEOUT = 60.0  # s, for an answer on a busy machine
LEASE_SECONDS = 36_000  # a stopped worker keeps its job
ENDLESS = {"max_steps": 20_000, "min_steps": 20_000}  # steps; a measurement is over long before


Row = dict[str, Any]


@dataclass(frozen=True)
class Arrangement:
    """A server, and the worker beside it; no threads: none."""

    server_threads: int
    worker_threads: int = 0
    nice: int = 0

    def __str__(self) -> str:
        return f"{self.worker_threads} threads, niceness {self.nice}" if self.worker_threads else "none"


@dataclass
class Measured:
    """Latencies in an arrangement, and the processor time that the training had in so many seconds."""

    latencies: list[float] = field(default_factory=list)
    trained: float = 0.0
    seconds: float = 0.0


class Training:
    """A worker that trains without end, stopped but while it is measured."""

    def __init__(self, worker: subprocess.Popen[bytes]) -> None:
        self._process = next(
            child
            for child in psutil.Process(worker.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        )

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def processor_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def main() -> None:
    """Measure all arrangements in turn."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each arrangement, in each round")
    options = parser.parse_args()
    rows = read_intents(options.data / "banking77/train_10shot.jsonl").utterances
    texts = cycle(row.text for row in read_intents(options.data / "banking77/test.jsonl").utterances)
    arrangements = those_of_the_manual(options.threads or available_cpus())
    measured = {each: Measured() for each in arrangements}
    with databases(postgres=False) as make_database, ExitStack() as stack:
        url = make_database("served")
        fill(url, Backbone.load(), rows, 1)
        clients = {
            threads: stack.enter_context(_client(url, threads))
            for threads in sorted({each.server_threads for each in arrangements})
        }
        trainings = {
            each: stack.enter_context(_training(make_database(f"catalog_{number}"), rows, each))
            for number, each in enumerate(arrangements)
            if each.worker_threads
        }
        for number in range(options.rounds):
            for position in np.random.default_rng(number).permutation(len(arrangements)):
                each = arrangements[position]
                client, training = clients[each.server_threads], trainings.get(each)
                measure(measured[each], client, training, texts, options.seconds)
    show("Parse beside a training", _rows(measured), where=machine(choose()), target=options.json)


def those_of_the_manual(cpus: int) -> list[Arrangement]:
    """Return what docs/jobs.md speaks of: niceness, and threads that add up to the CPUs."""
    half = max(1, cpus // 2)
    return [
        Arrangement(threads, *worker)
        for threads in (cpus, half)
        for worker in ((), (threads, 10), (threads, 0))
    ]


def measure(
    measured: Measured, client: Client, training: Training | None, texts: Iterator[str], seconds: float
) -> None:
    """Call for so long, beside the training if there is one."""
    if training is not None:
        training.signal(signal.SIGCONT)
        time.sleep(SETTLE_SECONDS)
    before = training.processor_seconds() if training else 0.0
    began = now = time.perf_counter()
    while now < began + seconds:
        client.parse(ParseRequest(next(texts), skills=(skill_name(0),)))
        called, now = now, time.perf_counter()
        measured.latencies.append(now - called)
    measured.seconds += now - began
    if training is not None:
        measured.trained += training.processor_seconds() - before
        training.signal(signal.SIGSTOP)


@contextmanager
def _client(url: str, threads: int) -> Iterator[Client]:
    with (
        running(url, choose(threads=threads)) as server,
        Client(server.address, timeout=TIMEOUT) as client,
    ):
        for _ in range(WARM_CALLS):
            client.parse(ParseRequest("is it warm?", skills=(skill_name(0),)))
        yield client


@contextmanager
def _training(url: str, rows: Sequence[Utterance], arrangement: Arrangement) -> Iterator[Training]:
    """Let a worker train in a catalog of its own: nobody waits for a lock that a stopped one holds."""
    catalog = Catalog.open(url)
    data = TrainingData(SkillKind.INTENT, tuple(rows)).to_bytes()
    job = catalog.jobs.submit(JobRequest("endless", SkillKind.INTENT, ENDLESS), data)
    command = [sys.executable, "-m", "training.cli", "worker", "--once", "--catalog", url]
    command += ["--threads", str(arrangement.worker_threads), "--nice", str(arrangement.nice)]
    worker = subprocess.Popen([*command, "--lease", str(LEASE_SECONDS), "--log-level", "error"])
    try:
        while not catalog.jobs.get(job.id).progress.step:
            time.sleep(0.2)
        training = Training(worker)
        training.signal(signal.SIGSTOP)
        yield training
    finally:
        for process in (*psutil.Process(worker.pid).children(), worker):
            process.kill()
        worker.wait()
        catalog.close()


def _rows(measured: dict[Arrangement, Measured]) -> list[Row]:
    rows = []
    for arrangement, found in measured.items():
        alone = measured[Arrangement(arrangement.server_threads)]
        p50, p99 = 1e3 * np.percentile(found.latencies, [50, 99])
        alone50, alone99 = 1e3 * np.percentile(alone.latencies, [50, 99])
        rows.append(
            {
                "server's threads": arrangement.server_threads,
                "worker": str(arrangement),
                "calls": len(found.latencies),
                "p50, ms": p50,
                "p99, ms": p99,
                "p50, of alone": p50 / alone50,
                "p99, of alone": p99 / alone99,
                "training, CPUs": found.trained / found.seconds,
            }
        )
    return rows


if __name__ == "__main__":
    main()
