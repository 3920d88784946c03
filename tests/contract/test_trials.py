"""Trials: how much of a skill's traffic its candidate gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest

from skills.errors import UnknownSkillError
from skills.skill import SkillDraft, SkillRef
from skills.traffic import Traffic
from storage.catalog import Catalog

MakeDraft: TypeAlias = Callable[..., SkillDraft]
TRIAL = Traffic(canary=0.1, shadow=1 / 3)


@pytest.fixture
def banking(catalog: Catalog, make_draft: MakeDraft) -> Catalog:
    """A catalog with a live version of `banking`, and a candidate."""
    catalog.publish(make_draft(), alias="live")
    catalog.publish(make_draft(), alias="candidate")
    return catalog


def test_set_changed_and_ended(banking: Catalog) -> None:
    assert banking.trials.all() == {}
    for traffic in (TRIAL, Traffic(canary=1.0), Traffic(shadow=0.25)):
        before = banking.revision()
        banking.trials.set("banking", traffic)
        assert banking.trials.all() == {"banking": traffic}
        assert banking.revision() == before + 1
    banking.trials.set("banking", Traffic())
    assert banking.trials.all() == {}


def test_each_skill_has_its_own(banking: Catalog, make_draft: MakeDraft) -> None:
    banking.publish(make_draft("travel"), alias="candidate")
    banking.trials.set("travel", Traffic(shadow=1.0))
    banking.trials.set("banking", TRIAL)
    assert banking.trials.all() == {"banking": TRIAL, "travel": Traffic(shadow=1.0)}


def test_no_trial_without_a_candidate(catalog: Catalog, make_draft: MakeDraft) -> None:
    catalog.publish(make_draft(), alias="live")
    with pytest.raises(UnknownSkillError, match="'banking' has no alias 'candidate'; there are live"):
        catalog.trials.set("banking", TRIAL)
    catalog.trials.set("banking", Traffic())  # to end one that is not on is no mistake
    with pytest.raises(UnknownSkillError, match="no skill 'travel'; there are banking"):
        catalog.trials.set("travel", TRIAL)
    assert catalog.trials.all() == {}


def test_restored_skills_have_theirs_back(banking: Catalog) -> None:
    banking.trials.set("banking", TRIAL)
    banking.delete("banking")
    assert banking.trials.all() == {}
    banking.restore("banking")
    assert banking.trials.all() == {"banking": TRIAL}


def test_a_revived_skill_has_none_whatever_is_promoted(banking: Catalog, make_draft: MakeDraft) -> None:
    banking.trials.set("banking", TRIAL)
    banking.delete("banking")
    banking.publish(make_draft(), alias="live")
    banking.promote(SkillRef("banking", 2), "candidate")
    assert banking.trials.all() == {}
