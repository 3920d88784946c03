"""Catalogs of every earlier schema, upgraded: nothing is lost, and everything works on them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, text

from skills.skill import SkillRef
from skills.traffic import Traffic
from storage import schema
from storage.blobs import CHUNK, blob_chunks
from storage.catalog import Catalog
from storage.database import Database
from tests.contract import conftest

ASSETS = Path(__file__).parent / "assets"

postgres = conftest.postgres
empty_url = conftest.empty_url
make_draft = conftest.make_draft


@pytest.fixture(params=sorted(ASSETS.glob("*.sql")), ids=lambda path: path.stem)
def old_url(request: pytest.FixtureRequest, empty_url: str, tmp_path: Path) -> Iterator[str]:
    """A database of an earlier schema, with what that schema's program had put into it."""
    dump = request.param.read_text()
    if empty_url.startswith("sqlite"):
        with closing(sqlite3.connect(empty_url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(dump)
    else:
        with closing(sqlite3.connect(tmp_path / "dump.db")) as connection:
            connection.executescript(dump)
            copy_rows(connection, empty_url, request.param.stem)
    yield empty_url


def copy_rows(source: sqlite3.Connection, url: str, revision: str) -> None:
    """Make the tables of a revision on a server, and give them the rows of an SQLite database."""
    with closing(Database(url)) as database, database.migrate() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        command.upgrade(config, revision)
        metadata = MetaData()
        metadata.reflect(connection)
        source.row_factory = sqlite3.Row
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
            for row in source.execute(f'SELECT * FROM "{table.name}"'):
                connection.execute(table.insert().values(**read_row(dict(row))))
            sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
            if "id" in table.c and connection.scalar(text(f"SELECT {sequence}")):
                connection.execute(text(f"SELECT setval({sequence}, 100)"))


def read_row(row: dict[str, object]) -> dict[str, object]:
    """Return a row of SQLite with times and JSON as a server's driver takes them."""
    for key, value in row.items():
        if key.endswith("_at") or key == "at":
            row[key] = None if value is None else datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
        elif isinstance(value, str) and value[:1] in ("{", "["):
            row[key] = json.loads(value)
    return row


def test_nothing_is_lost(old_url: str) -> None:
    assert not schema.status(old_url).is_current
    assert schema.upgrade(old_url).is_current
    with closing(Catalog.open(old_url)) as catalog:
        aliases = {str(version): version.aliases for version in catalog.versions()}
        assert aliases == {
            "banking@1": ("live",),
            "banking@2": (),
            "banking@3": ("candidate",),
            "travel@1": ("live",),
        }
        tensors = {str(version): catalog.tensors(version) for version in catalog.versions()}
        assert tensors == {
            "banking@1": b"first tensors",
            "banking@2": b"second tensors",
            "banking@3": b"third tensors",
            "travel@1": b"first tensors",
        }


def test_work_goes_on(old_url: str, make_draft: conftest.MakeDraft) -> None:
    schema.upgrade(old_url)
    with closing(Catalog.open(old_url)) as catalog:
        assert catalog.publish(make_draft("banking"), alias="live").version == 4
        assert catalog.rollback("banking").version == 1
        assert [str(version) for version in catalog.restore("old")] == ["old@1"]
        assert catalog.get(SkillRef("old")).aliases == ("live",)


@pytest.mark.parametrize("old_url", [ASSETS / "0002.sql"], indirect=True, ids=["0002"])
def test_jobs_exemplars_trials_and_the_audit_log_are_kept(old_url: str) -> None:
    schema.upgrade(old_url)
    with closing(Catalog.open(old_url)) as catalog:
        jobs = [(job.id, job.request.skill, str(job.state), job.submitted_by) for job in catalog.jobs.list()]
        assert jobs == [
            (4, "travel", "cancelled", "ann"),
            (3, "banking", "queued", "ann"),
            (2, "travel", "running", "grpc:ipv4:10.0.0.7:41234"),
            (1, "banking", "succeeded", "ann"),
        ]
        assert catalog.dataset(catalog.get(SkillRef("banking", 2))) == b"the rows of banking@2"
        lease = catalog.jobs.claim("worker-3")  # the other worker's has run out
        assert lease is not None and (lease.job.id, lease.job.attempts) == (2, 2)
        assert catalog.jobs.checkpoint(lease) == b"a checkpoint of travel"
        (exemplar,) = catalog.exemplars.all()["banking"]
        assert (exemplar.intent, exemplar.by) == ("freeze_card", "ann")
        assert catalog.trials.all() == {"banking": Traffic(0.25, 1.0)}
        newest, *_, oldest = catalog.audit()
        assert (newest.action, newest.by, oldest.action) == ("traffic", "ann", "publish")
        assert len(catalog.audit()) == 15
        assert catalog.keys.all() == []


def test_blobs_of_any_size_are_cut_into_chunks(empty_url: str) -> None:
    sizes = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 7 * CHUNK // 2)
    blobs = {sha256(data).hexdigest(): data for data in map(bytes, sizes)}
    with closing(Database(empty_url)) as database, database.migrate() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        command.upgrade(config, "0001")
        insert = text("INSERT INTO blobs (sha256, size, data) VALUES (:sha256, :size, :data)")
        for name, data in blobs.items():
            connection.execute(insert, {"sha256": name, "size": len(data), "data": data})
    schema.upgrade(empty_url)
    with closing(Database(empty_url)) as database, database.read() as session:
        for name, data in blobs.items():
            chunks = list(blob_chunks(session, name))
            assert b"".join(chunks) == data
            assert len(chunks) == max(1, -(-len(data) // CHUNK))
