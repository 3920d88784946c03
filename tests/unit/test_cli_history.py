"""Restoring skills, and reading what was done to them."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from storage.catalog import Catalog
from tests.contract import conftest
from training.cli.program import program

make_draft = conftest.make_draft


@pytest.fixture
def url(tmp_path: Path, make_draft: conftest.MakeDraft) -> Iterator[str]:
    """A catalog in which `banking` had two versions, was promoted by ada, and was deleted."""
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with closing(Catalog.open(url, by="ada")) as catalog:
        catalog.publish(make_draft(), alias="live")
        catalog.publish(make_draft(), alias="live")
        catalog.delete("banking")
    yield url


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(program, [*arguments, "--catalog", url])


def test_restore_brings_versions_and_aliases_back(url: str) -> None:
    result = run(url, "skills", "restore", "banking")
    assert (result.exit_code, result.output) == (0, "banking was restored, 2 versions; banking@2 is live\n")
    with closing(Catalog.open(url)) as catalog:
        assert [version.aliases for version in catalog.versions("banking")] == [("live",), ()]


def test_history_names_who_and_from_where_to_where(url: str) -> None:
    run(url, "skills", "restore", "banking")
    entries = json.loads(run(url, "skills", "history", "banking", "--json").output)
    found = [(each["by"], each["action"], each["from_version"], each["to_version"]) for each in entries]
    me = getpass.getuser()
    assert found == [
        (me, "restore", None, None),
        (me, "promote", None, 2),
        ("ada", "delete", 2, None),
        ("ada", "promote", 1, 2),
        ("ada", "publish", None, 2),
        ("ada", "promote", None, 1),
        ("ada", "publish", None, 1),
    ]


def test_purge_keeps_what_was_deleted_lately(url: str) -> None:
    assert run(url, "db", "purge").output == "0 versions were dropped for good\n"
    assert run(url, "db", "purge", "--days", "0").output == "2 versions were dropped for good\n"
    result = run(url, "skills", "restore", "banking")
    assert result.exit_code != 0
    assert "is purged: train it again, or import it" in result.output
