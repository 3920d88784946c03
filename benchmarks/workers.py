"""Requests a second of one server with one thread, of one with two, and of two with one thread each.

Callers ask again as soon as they are answered, each over a connection of its own, so all servers always have
something to do. They need a part of the CPUs themselves: what servers answer per second of processor time
is told as well, which is what they would answer a second on a core of their own. One thread is pinned to one
CPU, the others have two; all take turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import grpc
import numpy as np
import psutil  # type: ignore[import-untyped]

from benchmarks.catalogs import skill_name
from benchmarks.load import Row, prepare
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show
from nlu.access import PARSE_METHOD
from nlu.compute import Compute, choose
from training.open_loop import messages

CALLERS = 32
RAMP_SECONDS = 2.0
PATIENCE = 30.0  # s of work may wait: nobody is refused

SETTINGS = {  # CPUs, threads of a server, servers
    "1 server, 1 thread, 1 CPU": (1, 1, 1),
    "1 server, 2 threads, 2 CPUs": (2, 2, 1),
    "2 servers, 1 thread each, 2 CPUs": (2, 1, 2),
}


def main() -> None:
    """Measure each setting in several rounds."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="of each run")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    compute = choose(threads=1)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder}/workers.db"
        sent = messages(prepare(url, options.data, skills=1), skill_name(0))
        pool = stack.enter_context(ProcessPoolExecutor(1, get_context("spawn")))
        groups = {
            name: stack.enter_context(_serving(url, compute, *setting)) for name, setting in SETTINGS.items()
        }
        rounds = [
            {name: _run(pool, *group, sent, options.seconds) for name, group in groups.items()}
            for _ in range(options.rounds)
        ]
    show("Several servers on one port", _rows(rounds), where=machine(compute), target=options.json)


@contextlib.contextmanager
def _serving(
    url: str, compute: Compute, cpus: int, threads: int, workers: int
) -> Iterator[tuple[str, psutil.Process]]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cpus])
    options = ("--queue-seconds", str(PATIENCE), "--workers", str(workers))
    try:
        with running(url, Compute(compute.device, compute.precision, threads), *options) as server:
            os.sched_setaffinity(0, before)
            yield server.address, server.process
    finally:
        os.sched_setaffinity(0, before)


def _run(
    pool: ProcessPoolExecutor, address: str, server: psutil.Process, sent: Sequence[bytes], seconds: float
) -> Row:
    processes = [server, *server.children()]
    before = _processor(processes)
    answered, generator = pool.submit(ask, address, sent, seconds).result()
    used = _processor(processes) - before
    return {"answers": answered, "seconds": seconds, "used": used, "generator": generator}


def _processor(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def ask(address: str, sent: Sequence[bytes], seconds: float) -> tuple[int, float]:
    """Let all callers ask for so long; returns the answers after the ramp, and the generator's CPUs."""

    async def run() -> int:
        begin = time.monotonic() + RAMP_SECONDS
        counts = await asyncio.gather(
            *(_call(address, sent[caller::CALLERS], begin, seconds) for caller in range(CALLERS))
        )
        return sum(counts)

    before = time.process_time()
    answers = asyncio.run(run())
    return answers, (time.process_time() - before) / (RAMP_SECONDS + seconds)


async def _call(address: str, sent: Sequence[bytes], begin: float, seconds: float) -> int:
    options = [("grpc.use_local_subchannel_pool", 1)]
    answers = number = 0
    async with grpc.aio.insecure_channel(address, options) as channel:
        method: Any = channel.unary_unary(PARSE_METHOD)
        while time.monotonic() < begin + seconds:
            await method(sent[number % len(sent)], timeout=PATIENCE)
            number += 1
            answers += begin <= time.monotonic() < begin + seconds
    return answers


def _rows(rounds: Sequence[dict[str, Row]]) -> list[Row]:
    rows = []
    first = next(iter(SETTINGS))
    for name in SETTINGS:
        runs = [each[name] for each in rounds]
        whole = [run["seconds"] + RAMP_SECONDS for run in runs]
        rows.append(
            {
                "what": name,
                "answers/s": float(np.median([run["answers"] / run["seconds"] for run in runs])),
                "of the first, in its round": float(
                    np.median([each[name]["answers"] / each[first]["answers"] for each in rounds])
                ),
                "CPUs of servers": float(
                    np.median([run["used"] / each for run, each in zip(runs, whole, strict=True)])
                ),
                "CPUs of callers": float(np.median([run["generator"] for run in runs])),
                "answers per CPU s": float(
                    np.median(
                        [
                            run["answers"] / run["seconds"] * each / run["used"]
                            for run, each in zip(runs, whole, strict=True)
                        ]
                    )
                ),
            }
        )
    return rows


if __name__ == "__main__":
    main()
