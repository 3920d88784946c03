"""Deletion with grace, restoring, and dropping for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from skills.errors import InputError, UnknownJobError, UnknownSkillError
from skills.job import JobState
from skills.skill import SkillDraft, SkillRef
from skills.traffic import Traffic
from storage.catalog import Catalog
from tests.contract.job_steps import blobs, claimed, submit

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]
NOW = timedelta(0)
OWNED = ("skill_versions", "skill_aliases", "alias_history", "exemplars", "skill_traffic", "jobs")


@pytest.fixture
def banking(catalog: Catalog, make_draft: MakeDraft) -> Catalog:
    """A catalog in which `banking` has two versions, two aliases, and what goes with them."""
    lease = claimed_after_submit(catalog)
    catalog.publish(make_draft(), alias="live", lease=lease)
    catalog.publish(make_draft(tensors=b"second"), alias="candidate")
    catalog.exemplars.add("banking", "lost it", "freeze_card")
    catalog.trials.set("banking", Traffic(0.5))
    return catalog


def claimed_after_submit(catalog: Catalog) -> Any:
    submit(catalog.jobs)
    return claimed(catalog.jobs)


def test_restore_brings_everything_back(banking: Catalog) -> None:
    before = banking.versions(), banking.exemplars.all(), banking.trials.all()
    banking.delete("banking")
    assert banking.purge() == 0  # it is in its grace
    assert banking.restore("banking") == before[0]
    assert (banking.versions(), banking.exemplars.all(), banking.trials.all()) == before
    assert banking.dataset(banking.get(SkillRef("banking", 1))) == b"rows"


def test_restore_brings_back_only_what_the_last_deletion_took(
    banking: Catalog, make_draft: MakeDraft
) -> None:
    banking.delete("banking")
    banking.publish(make_draft(), alias="live")
    banking.delete("banking")
    banking.restore("banking")
    assert {str(each): each.aliases for each in banking.versions()} == {
        "banking@3": ("live",),
        "banking@2": (),
        "banking@1": (),
    }


def test_only_what_is_deleted_can_be_restored(banking: Catalog) -> None:
    with pytest.raises(InputError, match="skill 'banking' is not deleted"):
        banking.restore("banking")
    with pytest.raises(UnknownSkillError, match="no skill 'travel'"):
        banking.restore("travel")
    banking.delete("banking")
    banking.purge(NOW)
    with pytest.raises(InputError, match="skill 'banking' is purged: train it again, or import it"):
        banking.restore("banking")


def test_purge_leaves_nothing_behind(banking: Catalog, execute: Execute) -> None:
    banking.delete("banking")
    assert banking.purge(NOW) == 2
    assert banking.purge(NOW) == 0
    for table in OWNED:
        assert execute(f"SELECT count(*) FROM {table}") == [(0,)], table
    assert blobs(execute) == 0
    with pytest.raises(UnknownJobError):
        banking.jobs.get(1)


def test_others_are_left_alone(banking: Catalog, make_draft: MakeDraft, execute: Execute) -> None:
    """Even where they share tensors, rows or checkpoints with what is dropped."""
    kept = banking.publish(make_draft("travel", tensors=b"second"), alias="live")
    for state in (b"state", b"the tensors of banking"):
        banking.jobs.save_checkpoint(claimed_after_submit(banking), state)
    banking.delete("banking")
    banking.purge(NOW)
    assert banking.versions() == [kept]
    assert banking.tensors(kept) == b"second"
    running = banking.jobs.list()
    assert {job.state for job in running} == {JobState.RUNNING}
    assert [banking.jobs.data(job) for job in running] == [b"rows", b"rows"]
    assert blobs(execute) == 4  # second, rows, state, the tensors of banking


def test_numbers_are_never_used_again(banking: Catalog, make_draft: MakeDraft) -> None:
    banking.delete("banking")
    banking.purge(NOW)
    assert banking.publish(make_draft(), alias="live").version == 3
    assert [str(each) for each in banking.versions()] == ["banking@3"]
    with pytest.raises(UnknownSkillError, match="has no version 1; there are 3"):
        banking.get(SkillRef("banking", 1))
    with pytest.raises(InputError, match="named no version before 3"):
        banking.rollback("banking")
    assert (banking.exemplars.all(), banking.trials.all()) == ({}, {})
    banking.delete("banking")
    assert [each.aliases for each in banking.restore("banking")] == [("live",)]


def test_a_job_of_a_purged_skill_brings_it_back(banking: Catalog, make_draft: MakeDraft) -> None:
    lease = claimed_after_submit(banking)
    banking.delete("banking")
    banking.purge(NOW)
    assert banking.publish(make_draft(), alias="live", lease=lease).version == 3


@pytest.mark.parametrize(("older_than", "left"), [(NOW, None), (timedelta(days=7), b"state")])
def test_old_checkpoints_of_failed_jobs_go(
    catalog: Catalog, execute: Execute, older_than: timedelta, left: bytes | None
) -> None:
    lease = claimed_after_submit(catalog)
    catalog.jobs.save_checkpoint(lease, b"state")
    catalog.jobs.fail(lease, "broken", retry=False)
    catalog.purge(older_than)
    assert catalog.jobs.checkpoint(lease) == left
    assert blobs(execute) == (2 if left else 1)
    catalog.jobs.retry(1)
    assert catalog.jobs.data(claimed(catalog.jobs).job) == b"rows"


def test_overview_has_one_entry_a_skill(banking: Catalog, make_draft: MakeDraft) -> None:
    """The live version or, without one, the newest; deleted skills are not in it."""
    for name in ("airline", "airline", "travel"):
        banking.publish(make_draft(name))
    banking.publish(make_draft("old"), alias="live")
    banking.delete("old")
    found = [(str(each.shown), each.shown.aliases, each.versions) for each in banking.overview()]
    assert found == [("airline@2", (), 2), ("banking@1", ("live",), 2), ("travel@1", (), 1)]
    assert banking.overview()[1].shown == banking.get(SkillRef("banking"))
