"""Workers whose database goes away, and whose disk is full: real ones, and what the worker says and does."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skills.errors import CatalogError
from skills.job import JobRequest, JobState
from skills.skill import SkillKind
from storage import schema
from storage.catalog import Catalog
from tests.acceptance.breakable import Disk, Postgres, execute
from tests.acceptance.worker_process import (
    LONG,
    assert_went_on,
    ended,
    is_checkpointed,
    submit,
    worker,
)
from tests.soon import soon

pytestmark = pytest.mark.timeout(600)  # two trainings start, one after the other, on a busy machine

SIZE = 64 << 20  # bytes of a disk
SLOW = {**LONG, "max_steps": 300, "min_steps": 300}  # goes on after the first beat with progress, in 5 s
SHORT = {**LONG, "max_steps": 40, "min_steps": 40}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    # Not below pytest's folder: any other pytest that starts takes the server's user the right to enter that.
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder))
        yield server
        server.close()


@pytest.fixture
def disk() -> Iterator[Disk]:
    with tempfile.TemporaryDirectory() as folder:
        made = Disk(Path(folder) / "disk")
        if not made.is_mounted(SIZE):
            pytest.skip("no right to mount a file system: a full disk needs one of its own")
        yield made
        made.close()


@pytest.fixture
def lost(postgres: Postgres) -> Iterator[Catalog]:
    """A catalog in the PostgreSQL that is lost."""
    schema.upgrade(postgres.url)
    opened = Catalog.open(postgres.url)
    yield opened
    opened.close()


def test_a_training_outlives_its_database(postgres: Postgres, lost: Catalog, tmp_path: Path) -> None:
    """It trains on while the database is away, and publishes as soon as it is back."""
    job = submit(lost, "patient", SLOW)
    with worker(postgres.url, tmp_path / "log", lease=300.0) as process:
        soon(lambda: lost.jobs.get(job.id).progress.step)
        postgres.crash()
        soon(lambda: process.said("trying again", "check that the server runs"))
        postgres.start()
        found = soon(lambda: ended(lost, job))
        code = process.stop()

    assert (found.state, found.version, found.attempts, code) == (JobState.SUCCEEDED, 1, 1, 0)
    assert len(lost.versions("patient")) == 1


def test_a_job_that_lost_its_database_for_longer_than_its_lease_goes_on(
    postgres: Postgres, lost: Catalog, tmp_path: Path
) -> None:
    job = submit(lost, "taken", LONG)
    with worker(postgres.url, tmp_path / "log") as process:
        soon(lambda: is_checkpointed(lost, job))
        postgres.crash()
        soon(lambda: process.said(f"job {job.id} ran out of its lease", "check that the server runs"))
        soon(lambda: process.said("no job can be claimed", "check that the server runs"))
        postgres.start()
        found = soon(lambda: ended(lost, job))
        code = process.stop()

    assert (found.state, found.version, code) == (JobState.SUCCEEDED, 1, 0)
    assert found.attempts >= 2
    assert_went_on(process)
    assert len(lost.versions("taken")) == 1


def test_a_catalog_whose_disk_is_full_is_whole_and_the_job_goes_on(disk: Disk, tmp_path: Path) -> None:
    file = disk.folder / "catalog.db"
    url = f"sqlite:///{file}"
    catalog = Catalog.open(url)
    job = submit(catalog, "chat", LONG)
    with worker(url, tmp_path / "log") as process:
        soon(lambda: is_checkpointed(catalog, job))
        soon(lambda: without_spare_pages(file))
        disk.fill()
        soon(lambda: process.said("no heartbeat", "database or disk is full", "free some disk space"))
        soon(lambda: process.said("no job can be claimed", "free some disk space"))
        assert catalog.versions() == []
        assert is_checkpointed(catalog, job)
        assert is_whole(file)
        disk.grow(SIZE)
        found = soon(lambda: ended(catalog, job))
        code = process.stop()

    assert (found.state, found.version, code) == (JobState.SUCCEEDED, 1, 0)
    assert_went_on(process)
    assert len(catalog.versions()) == 1
    assert is_whole(file)
    catalog.close()


def test_a_full_disk_below_the_model_cache_is_told_and_tried_again(disk: Disk, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    catalog = Catalog.open(url)
    job = submit(catalog, "chat", SHORT)
    disk.fill()
    with worker(url, tmp_path / "log", "--cache-dir", str(disk.folder), lease=60.0) as process:
        waiting = soon(lambda: put_back(catalog, job.id))
        left = list(disk.folder.iterdir())
        disk.grow(1 << 30)
        execute(url, "UPDATE jobs SET not_before = submitted_at")  # rather than 10 s later
        found = soon(lambda: ended(catalog, job))
        code = process.stop()

    assert "cannot write the model cache" in waiting.reason
    assert "No space left on device" in waiting.reason
    assert "to a writable directory with 500 MB free" in waiting.reason
    assert left == []
    assert (found.state, found.version, found.attempts, code) == (JobState.SUCCEEDED, 1, 2, 0)
    catalog.close()


def test_a_database_server_whose_disk_is_full_says_so(postgres: Postgres, disk: Disk) -> None:
    request, rows = JobRequest("chat", SkillKind.INTENT), os.urandom(1 << 20)
    with postgres.database_on(disk) as url:
        schema.upgrade(url)
        catalog = Catalog.open(url)
        disk.fill()
        with pytest.raises(
            CatalogError, match=r"No space left on device.*free some disk space on the server"
        ):
            catalog.jobs.submit(request, rows)
        assert catalog.jobs.list() == []
        disk.grow(SIZE)
        assert catalog.jobs.data(catalog.jobs.submit(request, rows)) == rows
        catalog.close()


def put_back(catalog: Catalog, job_id: int) -> Any:
    found = catalog.jobs.get(job_id)
    return found if found.state is JobState.QUEUED and found.attempts else None


def without_spare_pages(file: Path) -> bool:
    """Empty the write-ahead log, whose pages would otherwise be used again; whether nobody was in the way."""
    connection = sqlite3.connect(file)
    try:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
    finally:
        connection.close()


def is_whole(file: Path) -> bool:
    connection = sqlite3.connect(file)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    finally:
        connection.close()
