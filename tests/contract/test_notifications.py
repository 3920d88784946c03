from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from skills.skill import SkillDraft
from storage.catalog import Catalog

MakeDraft = Callable[..., SkillDraft]
Execute = Callable[..., Sequence[Any]]

SECONDS = 30.0

on_postgres = pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)


class Told:
    """Counts calls; `again` waits for one more than there were."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._seen = self.times = 0

    def __call__(self) -> None:
        with self._changed:
            self.times += 1
            self._changed.notify_all()

    def again(self) -> bool:
        with self._changed:
            found = self._changed.wait_for(lambda: self.times > self._seen, SECONDS)
            self._seen = self.times
            return found


@pytest.fixture
def told(catalog: Catalog) -> Iterator[Told]:
    """What the catalog tells a listener that has begun to listen."""
    told = Told()
    stop = catalog.listen(told)
    assert told.again()
    yield told
    stop()


@on_postgres
def test_every_write_by_anyone_is_told(url: str, told: Told, make_draft: MakeDraft) -> None:
    other = Catalog.open(url)
    other.publish(make_draft(), alias="live")
    assert told.again()
    other.exemplars.add("banking", "where is it", "check_balance")
    assert told.again()
    other.close()


@on_postgres
def test_a_lost_connection_is_made_again(
    catalog: Catalog, told: Told, execute: Execute, make_draft: MakeDraft
) -> None:
    ended = execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE query LIKE 'LISTEN%' AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    assert ended
    assert told.again()  # as something may have been missed
    catalog.publish(make_draft())
    assert told.again()


@on_postgres
def test_nothing_is_told_after_the_end(catalog: Catalog, make_draft: MakeDraft) -> None:
    told = Told()
    stop = catalog.listen(told)
    assert told.again()
    stop()
    catalog.publish(make_draft())
    assert told.times == 1


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
def test_sqlite_tells_nothing(catalog: Catalog, make_draft: MakeDraft) -> None:
    told = Told()
    stop = catalog.listen(told)
    catalog.publish(make_draft())
    stop()
    assert told.times == 0
