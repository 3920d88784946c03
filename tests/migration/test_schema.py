"""How a database gets its schema, and which ones are refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
from alembic.script import ScriptDirectory

from skills.errors import CatalogError, SchemaError
from storage import schema
from storage.catalog import Catalog

ROOT = Path(__file__).parents[2]
OPENERS = 4

OPENER = """
import sys
from storage.catalog import Catalog

print("ready", flush=True)
sys.stdin.readline()
catalog = Catalog.open(sys.argv[1])
print(catalog.revision())
catalog.close()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


def run_sql(file: Path, *statements: str) -> list[tuple[object, ...]]:
    """Run statements behind the catalog's back and return the rows of the last."""
    rows: list[tuple[object, ...]] = []
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


def missing(file: Path) -> None:
    assert not file.exists()


def empty(file: Path) -> None:
    file.touch()


def empty_database(file: Path) -> None:
    run_sql(file, "CREATE TABLE t (x)", "DROP TABLE t")


@pytest.mark.parametrize("make", [missing, empty, empty_database])
def test_fresh_file_is_migrated(file: Path, make: Callable[[Path], None]) -> None:
    make(file)
    with closing(Catalog.open(url_of(file))) as catalog:
        assert (catalog.revision(), catalog.versions()) == (0, [])
    assert schema.status(url_of(file)).is_current
    assert run_sql(file, "PRAGMA journal_mode") == [("wal",)]


def test_opening_again_keeps_everything(file: Path) -> None:
    Catalog.open(url_of(file)).close()
    run_sql(file, "UPDATE catalog_state SET revision = 7")
    with closing(Catalog.open(url_of(file))) as catalog:
        assert catalog.revision() == 7


def test_copied_file_gets_wal_back(file: Path) -> None:
    Catalog.open(url_of(file)).close()
    run_sql(file, "PRAGMA journal_mode=DELETE")
    Catalog.open(url_of(file)).close()
    assert run_sql(file, "PRAGMA journal_mode") == [("wal",)]


def test_status_of_a_missing_file_makes_none(file: Path) -> None:
    assert schema.status(url_of(file)) == schema.SchemaStatus(None, schema.status(url_of(file)).head)
    missing(file)


def test_upgrade_can_be_repeated(file: Path) -> None:
    first = schema.upgrade(url_of(file))
    assert first.is_current
    assert schema.upgrade(url_of(file)) == schema.status(url_of(file)) == first


def test_older_schema_is_refused_until_upgraded(file: Path) -> None:
    run_sql(file, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    head = schema.status(url_of(file)).head
    command = f"run: softspoken db upgrade --catalog sqlite:///{file}$"
    with pytest.raises(SchemaError, match=f"has schema none, this program needs {head}; {command}"):
        Catalog.open(url_of(file))
    assert schema.upgrade(url_of(file)).is_current
    Catalog.open(url_of(file)).close()


@pytest.mark.parametrize("use", [Catalog.open, schema.upgrade])
def test_newer_schema_is_refused(file: Path, use: Callable[[str], object]) -> None:
    Catalog.open(url_of(file)).close()
    run_sql(file, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="this program is older than the catalog; upgrade softspoken"):
        use(url_of(file))
    assert schema.status(url_of(file)).current == "9999"


@pytest.mark.parametrize("use", [Catalog.open, schema.upgrade])
def test_database_of_another_program_is_left_alone(file: Path, use: Callable[[str], object]) -> None:
    run_sql(file, "CREATE TABLE invoices (id)")
    before = file.read_bytes()
    with pytest.raises(CatalogError, match=r"of another program \(it has the table 'invoices'\)"):
        use(url_of(file))
    assert file.read_bytes() == before


@pytest.mark.parametrize("use", [Catalog.open, schema.upgrade, schema.status])
def test_file_that_is_no_database(file: Path, use: Callable[[str], object]) -> None:
    file.write_text("text,intent\n" * 100)
    with pytest.raises(CatalogError, match="not an SQLite database: name another one") as caught:
        use(url_of(file))
    assert str(file) in str(caught.value)
    assert file.read_text() == "text,intent\n" * 100


def test_interrupted_migration_leaves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripts = file.parent / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for name in ("env.py", "versions/0001_catalog.py"):
        source = (schema.MIGRATIONS / name).read_text()
        (scripts / name).write_text(
            source.replace("    state = op", "    raise KeyboardInterrupt\n    state = op")
        )
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", scripts)
        with pytest.raises(KeyboardInterrupt):
            Catalog.open(url_of(file))
    assert run_sql(file, "SELECT name FROM sqlite_master") == []
    Catalog.open(url_of(file)).close()


def test_revisions_are_one_line_without_forks() -> None:
    scripts = list(ScriptDirectory(str(schema.MIGRATIONS)).walk_revisions())
    assert [script.revision for script in scripts] == [
        f"{number:04}" for number in range(len(scripts), 0, -1)
    ]


def test_processes_open_a_fresh_file_at_once(file: Path) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPENER, url_of(file)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(OPENERS)
    ]
    for opener in openers:
        assert opener.stdout is not None
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate()[0] for opener in openers] == ["0\n"] * OPENERS
    assert [opener.returncode for opener in openers] == [0] * OPENERS
    assert schema.status(url_of(file)).is_current
    assert run_sql(file, "PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("files", [1, OPENERS])
def test_threads_open_fresh_files_at_once(tmp_path: Path, files: int) -> None:
    barrier = Barrier(OPENERS)

    def open_one(number: int) -> int:
        barrier.wait()
        with closing(Catalog.open(url_of(tmp_path / f"{number % files}.db"))) as catalog:
            return catalog.revision()

    with ThreadPoolExecutor(OPENERS) as pool:
        assert list(pool.map(open_one, range(OPENERS))) == [0] * OPENERS
