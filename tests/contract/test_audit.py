"""The audit log: every kind of change leaves a line that says who, what, and from which version to which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest

from skills.errors import InputError
from skills.job import JobRequest
from skills.skill import SkillDraft, SkillKind, SkillRef
from skills.traffic import Traffic
from storage.catalog import Catalog

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Line: TypeAlias = tuple[str, str, int | None, int | None]


@pytest.fixture
def banking(url: str, make_draft: MakeDraft) -> Iterator[Catalog]:
    """A catalog with two versions of `banking`, opened by ada; 1 is live."""
    with closing(Catalog.open(url, by="ada")) as catalog:
        catalog.publish(make_draft(), alias="live")
        catalog.publish(make_draft())
        yield catalog


def lines(catalog: Catalog) -> list[Line]:
    """Return the log, oldest first."""
    return [
        (entry.action, entry.alias, entry.from_version, entry.to_version)
        for entry in reversed(catalog.audit("banking"))
    ]


def candidate(catalog: Catalog) -> None:
    catalog.promote(SkillRef("banking", 2), "candidate")


def promote(catalog: Catalog) -> None:
    catalog.promote(SkillRef("banking", 2))


def delete(catalog: Catalog) -> None:
    catalog.delete("banking")


def rollback(catalog: Catalog) -> None:
    catalog.rollback("banking")


def restore(catalog: Catalog) -> None:
    catalog.restore("banking")


def purge(catalog: Catalog) -> None:
    catalog.purge(timedelta(0))


def correct(catalog: Catalog) -> None:
    catalog.exemplars.add("banking", "lost it", "freeze_card")


def forget(catalog: Catalog) -> None:
    catalog.exemplars.remove("banking")


def try_out(catalog: Catalog) -> None:
    catalog.trials.set("banking", Traffic(0.1))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([promote], [("promote", "live", 1, 2)]),
        ([promote, rollback], [("promote", "live", 1, 2), ("rollback", "live", 2, 1)]),
        ([delete], [("delete", "live", 1, None)]),
        (
            [delete, restore],
            [("delete", "live", 1, None), ("promote", "live", None, 1), ("restore", "", None, None)],
        ),
        ([delete, purge], [("delete", "live", 1, None), ("purge", "", None, None)]),
        ([correct, forget], [("correct", "", None, None), ("forget", "", None, None)]),
        ([candidate, try_out], [("promote", "candidate", None, 2), ("traffic", "", None, None)]),
    ],
)
def test_every_change_leaves_its_lines(
    banking: Catalog, changes: list[Callable[[Catalog], None]], expected: list[Line]
) -> None:
    published: list[Line] = [
        ("publish", "", None, 1),
        ("promote", "live", None, 1),
        ("publish", "", None, 2),
    ]
    assert lines(banking) == published
    for change in changes:
        change(banking)
    assert lines(banking) == [*published, *expected]
    assert {entry.by for entry in banking.audit()} == {"ada"}


def test_deletion_of_a_skill_without_aliases(catalog: Catalog, make_draft: MakeDraft) -> None:
    catalog.publish(make_draft())
    catalog.delete("banking")
    assert lines(catalog) == [("publish", "", None, 1), ("delete", "", None, None)]


def test_who_and_when(banking: Catalog, url: str, make_draft: MakeDraft) -> None:
    with closing(Catalog.open(url, by="g" * 500)) as other:
        other.publish(make_draft("travel"))
        banking.promote(SkillRef("banking", 2), by="grace")
        banking.rollback("banking", by="alan")
        banking.delete("banking", by="x" * 500)
    found = [entry.by for entry in banking.audit()]
    assert found[:4] == ["x" * 128, "alan", "grace", "g" * 128]
    times = [entry.at for entry in banking.audit()]
    assert times == sorted(times, reverse=True)
    assert datetime.now(UTC) - times[0] < timedelta(minutes=10)


def test_who_cancelled_and_retried_a_job(banking: Catalog) -> None:
    job = banking.jobs.submit(JobRequest("banking", SkillKind.INTENT), b"rows")
    banking.jobs.cancel(job.id, by="eve")
    banking.jobs.retry(job.id)
    found = [(entry.by, entry.action, entry.detail) for entry in banking.audit("banking", limit=2)]
    assert found == [("ada", "retry", f"job {job.id}"), ("eve", "cancel", f"job {job.id}")]


def test_a_long_name_is_cut_and_nothing_fails(banking: Catalog) -> None:
    job = banking.jobs.submit(JobRequest("banking", SkillKind.INTENT), b"rows")
    banking.jobs.cancel(job.id, by="e" * 1000)
    banking.promote(SkillRef("banking", 2), by="e" * 1000)
    assert [entry.by for entry in banking.audit("banking", limit=2)] == ["e" * 128] * 2


def test_what_changes_nothing_leaves_nothing(banking: Catalog, make_draft: MakeDraft) -> None:
    before = banking.audit()
    banking.promote(SkillRef("banking", 1))
    failing: list[Callable[[], object]] = [
        lambda: banking.rollback("banking"),
        lambda: banking.publish(make_draft(kind=SkillKind.SLOTS)),
        lambda: banking.promote(SkillRef("banking", 9)),
    ]
    for change in failing:
        with pytest.raises(InputError):
            change()
    assert banking.audit() == before


def test_of_one_skill_and_the_newest_only(banking: Catalog, make_draft: MakeDraft) -> None:
    banking.publish(make_draft("travel"))
    assert [entry.skill for entry in banking.audit()] == ["travel", "banking", "banking", "banking"]
    assert [entry.skill for entry in banking.audit(limit=2)] == ["travel", "banking"]
    assert [entry.action for entry in banking.audit("travel")] == ["publish"]
    assert banking.audit("unknown") == []


def test_it_outlives_the_skill(banking: Catalog) -> None:
    banking.delete("banking")
    banking.purge(timedelta(0))
    (newest, *_rest) = banking.audit("banking")
    assert (newest.action, newest.detail) == ("purge", "2 versions")
    assert len(banking.audit("banking")) == 5
