"""Many workers at one queue: each job is claimed once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from storage.catalog import Catalog
from tests.contract.job_steps import submit

ROOT = Path(__file__).parents[2]
JOBS = 50
WORKERS = 3

CLAIMER = """
import sys
from storage.catalog import Catalog

catalog = Catalog.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
while lease := catalog.jobs.claim(sys.argv[2]):
    print(lease.job.id)
catalog.close()
"""


def test_threads_claim_each_job_once(catalog: Catalog) -> None:
    barrier = Barrier(WORKERS)
    for _ in range(JOBS):
        submit(catalog.jobs)

    def work(worker: int) -> list[int]:
        barrier.wait()
        found = []
        while lease := catalog.jobs.claim(f"worker {worker}"):
            found.append(lease.job.id)
        return found

    with ThreadPoolExecutor(WORKERS) as pool:
        found = [job_id for each in pool.map(work, range(WORKERS)) for job_id in each]
    assert sorted(found) == list(range(1, JOBS + 1))


def test_processes_claim_each_job_once(catalog: Catalog, url: str) -> None:
    for _ in range(JOBS):
        submit(catalog.jobs)
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", CLAIMER, url, str(worker)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for worker in range(WORKERS)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    found = [int(line) for worker in workers for line in worker.communicate()[0].split()]
    assert [worker.returncode for worker in workers] == [0] * WORKERS
    assert sorted(found) == list(range(1, JOBS + 1))
