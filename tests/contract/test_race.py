"""Writers and readers at the same time, in threads and in processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import TypeAlias

import pytest

from skills.errors import CatalogError
from skills.skill import SkillDraft, SkillRef
from storage.catalog import Catalog
from storage.database import Database

MakeDraft: TypeAlias = Callable[..., SkillDraft]
ROOT = Path(__file__).parents[2]
WORKERS = 4
EACH = 5

PUBLISHER = f"""
import sys
from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind
from storage.catalog import Catalog

draft = SkillDraft(
    "banking", SkillKind.INTENT, Method.DEEP_PROMPT, ("yes",), "b" * 64, {{}}, Calibration(), {{}},
    Provenance("d" * 64, 1, 0, {{}}, "1.0", 1.0), sys.argv[2].encode(),
)
catalog = Catalog.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for _ in range({EACH}):
    print(catalog.publish(draft, alias="live").version)
catalog.close()
"""


def test_threads_publish(catalog: Catalog, make_draft: MakeDraft) -> None:
    barrier = Barrier(WORKERS)

    def publish(worker: int) -> list[int]:
        barrier.wait()
        draft = make_draft(tensors=f"of thread {worker}".encode())
        return [catalog.publish(draft, alias="live").version for _ in range(EACH)]

    with ThreadPoolExecutor(WORKERS) as pool:
        numbers = [number for found in pool.map(publish, range(WORKERS)) for number in found]
    check_all_published(catalog, numbers)


def test_processes_publish(catalog: Catalog, url: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PUBLISHER, url, str(worker)],
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
    printed = []
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        output, _ = worker.communicate()
        assert worker.returncode == 0
        printed.append([int(number) for number in output.split()])
    assert all(numbers == sorted(numbers) for numbers in printed)
    check_all_published(catalog, [number for numbers in printed for number in numbers])


def check_all_published(catalog: Catalog, numbers: list[int]) -> None:
    """Each publication got a number of its own, one revision, and a readable version; none was lost."""
    count = WORKERS * EACH
    assert sorted(numbers) == list(range(1, count + 1))
    assert catalog.revision() == count
    stored = catalog.versions("banking")
    assert [version.version for version in stored] == list(range(count, 0, -1))
    assert len({catalog.tensors(version) for version in stored}) == WORKERS
    assert catalog.get(SkillRef("banking")).version == count


def test_readers_go_on_while_a_writer_writes(catalog: Catalog, url: str, make_draft: MakeDraft) -> None:
    published = catalog.publish(make_draft(), alias="live")
    writer = Database(url)
    try:
        with writer.write() as session:
            session.connection().exec_driver_sql("UPDATE catalog_state SET revision = 99")
            assert catalog.revision() == 1
            assert catalog.aliased() == [published]
            assert catalog.tensors(published) == make_draft().tensors
        assert catalog.revision() == 99
    finally:
        writer.close()


def test_a_read_is_one_snapshot(catalog: Catalog, url: str, make_draft: MakeDraft) -> None:
    reader = Database(url)
    count = "SELECT count(*) FROM skill_versions"
    try:
        with reader.read() as session:
            before = session.connection().exec_driver_sql(count).scalar()
            catalog.publish(make_draft())
            assert session.connection().exec_driver_sql(count).scalar() == before == 0
        with reader.read() as session:
            assert session.connection().exec_driver_sql(count).scalar() == 1
    finally:
        reader.close()


def test_an_error_undoes_the_whole_write(catalog: Catalog, make_draft: MakeDraft) -> None:
    catalog.publish(make_draft())
    with pytest.raises(CatalogError), catalog._database.write() as session:
        session.connection().exec_driver_sql("UPDATE catalog_state SET revision = 99")
        session.connection().exec_driver_sql("DELETE FROM skills")
    assert catalog.revision() == 1
