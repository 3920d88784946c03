"""What jobs share: two that ask for the same have the same rows and the same checkpoints."""

from __future__ import annotations

from skills.job import JobRequest, JobState, Lease
from skills.skill import SkillKind
from storage.catalog import Catalog
from tests.contract.conftest import MakeDraft

REQUEST = JobRequest("banking", SkillKind.INTENT)


def begun(catalog: Catalog) -> Lease:
    return catalog.jobs.begin(REQUEST, b"rows", "worker")


def test_a_checkpoint_of_two_jobs_stays_until_both_are_done_with_it(
    catalog: Catalog, make_draft: MakeDraft
) -> None:
    first, second = begun(catalog), begun(catalog)
    for lease in (first, second):
        catalog.jobs.save_checkpoint(lease, b"the same")

    catalog.jobs.save_checkpoint(first, b"further")
    kept = catalog.jobs.checkpoint(second)
    catalog.jobs.save_checkpoint(second, b"further")
    catalog.publish(make_draft(), lease=first)

    assert kept == b"the same"
    assert catalog.jobs.checkpoint(first) is None
    assert catalog.jobs.checkpoint(second) == b"further"
    catalog.publish(make_draft(), lease=second)
    states = {catalog.jobs.get(lease.job.id).state for lease in (first, second)}
    assert states == {JobState.SUCCEEDED}
