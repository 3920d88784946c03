from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from skills.errors import CatalogError
from storage.catalog import Catalog
from storage.probe import probe

CLOCKS = 60.0  # s; PostgreSQL runs on this machine


def test_a_catalog_that_works_is_left_as_it_is(url: str, catalog: Catalog) -> None:
    before = catalog.revision()

    found = probe(url)

    assert found.schema.is_current
    assert abs(found.clock_ahead) < CLOCKS
    assert (catalog.revision(), catalog.audit()) == (before, [])


def test_what_has_no_schema_yet_is_not_written(empty_url: str) -> None:
    assert probe(empty_url).schema.current is None


def test_a_catalog_that_is_locked_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    Catalog.open(f"sqlite:///{file}").close()
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogError, match="another program has been writing"):
            probe(f"sqlite:///{file}?timeout=0.1")
    other.close()
