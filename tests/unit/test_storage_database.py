"""The connection: which URLs, how SQLite is set up, and what errors say."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from skills.errors import CatalogError
from storage.catalog import Catalog
from storage.database import Database

NO_SERVER = "127.0.0.1:1"  # a port that nothing listens on


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file with one table and one row."""
    file = tmp_path / "some.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "CREATE TABLE numbers (number INTEGER PRIMARY KEY, half INTEGER REFERENCES numbers)"
        )
        connection.execute("INSERT INTO numbers VALUES (1, NULL)")
    return f"sqlite:///{file}?timeout=0.05"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with closing(Database(url)) as opened:
        yield opened


def run_sql(database: Database, statement: str) -> object:
    with database.write() as session:
        result = session.connection().exec_driver_sql(statement)
        return result.scalar() if result.returns_rows else None


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 1), ("busy_timeout", 50)],
)
def test_sqlite_settings(database: Database, pragma: str, value: object) -> None:
    database.use_wal()
    assert run_sql(database, f"PRAGMA {pragma}") == value


def test_busy_timeout_is_five_seconds_unless_the_url_says_otherwise(tmp_path: Path) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'some.db'}")) as database:
        assert run_sql(database, "PRAGMA busy_timeout") == 5000


def test_write_commits_or_rolls_back(database: Database) -> None:
    run_sql(database, "INSERT INTO numbers VALUES (2, 1)")
    with pytest.raises(ZeroDivisionError), database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM numbers")
        raise ZeroDivisionError
    with database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM numbers").scalar() == 2


def test_a_write_excludes_others_before_it_changes_anything(database: Database) -> None:
    locked = r"some\.db.*locked; another program has been writing for over 5 s"
    with database.write() as session:
        session.connection()
        with pytest.raises(CatalogError, match=locked):
            run_sql(database, "SELECT 1")


def test_a_read_excludes_nobody(database: Database) -> None:
    database.use_wal()
    with database.read() as session:
        assert session.connection().exec_driver_sql("SELECT number FROM numbers").scalar() == 1
        run_sql(database, "DELETE FROM numbers")


def test_switch_to_wal_gives_up_on_a_busy_file(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.database.WAIT", 0)
    with database.write() as session:
        session.connection()
        with pytest.raises(CatalogError, match="another program has been writing"):
            database.use_wal()


def test_foreign_keys_hold(database: Database) -> None:
    with pytest.raises(CatalogError, match="FOREIGN KEY constraint failed"):
        run_sql(database, "INSERT INTO numbers VALUES (3, 99)")


def test_cause_is_kept(database: Database) -> None:
    with pytest.raises(
        CatalogError, match="no such table: nowhere; check it with: softspoken db status"
    ) as caught:
        with database.read() as session:
            session.connection().exec_driver_sql("SELECT * FROM nowhere")
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("softspoken.db", "the catalog's URL cannot be read: use sqlite:///FILE or postgresql://"),
        ("mysql://me:secret@host/name", "a catalog cannot be kept in 'mysql': use sqlite"),
        ("postgres://me:secret@host/name", "a catalog cannot be kept in 'postgres': use sqlite"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_wrong_url(url: str, message: str) -> None:
    with pytest.raises(CatalogError, match=message) as caught:
        Database(url)
    assert "secret" not in str(caught.value)


def test_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=f"directory {tmp_path}/no/where does not exist: create it"):
        Catalog.open(f"sqlite:///{tmp_path}/no/where/some.db")


def test_directory_instead_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=rf"{tmp_path}: .*; check that this user may read and write there"):
        Catalog.open(f"sqlite:///{tmp_path}")


def test_read_only_place(tmp_path: Path) -> None:
    (tmp_path / "some.db").touch()
    url = f"sqlite:///file:{tmp_path}/some.db?mode=ro&uri=true"  # also root may not write there
    with pytest.raises(CatalogError, match=r"some\.db.*readonly.*; make the file and its directory writable"):
        Catalog.open(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:secret@{NO_SERVER}/name",
        f"postgresql+psycopg://me@{NO_SERVER}/name?password=secret",
    ],
)
def test_unreachable_server_is_named_without_its_password(url: str) -> None:
    with pytest.raises(CatalogError, match=rf"me.*{NO_SERVER}/name.*check that the server runs") as caught:
        Catalog.open(url)
    assert "secret" not in str(caught.value)


def test_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CatalogError, match="postgresql needs the package 'psycopg': pip install it"):
        Database("postgresql://host/name")
