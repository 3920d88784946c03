"""Exemplars: what people tell a skill between two trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeAlias

import pytest

from skills.errors import InputError, UnknownSkillError
from skills.exemplar import MAX_EXEMPLARS
from skills.skill import SkillDraft
from storage.catalog import Catalog

MakeDraft: TypeAlias = Callable[..., SkillDraft]


@pytest.fixture
def banking(url: str, make_draft: MakeDraft) -> Iterator[Catalog]:
    """A catalog with the skills `banking` and `travel`, opened by ada."""
    with closing(Catalog.open(url, by="ada")) as catalog:
        for name in ("banking", "travel"):
            catalog.publish(make_draft(name), alias="live")
        yield catalog


def intents(catalog: Catalog) -> dict[str, list[tuple[str, str]]]:
    return {
        skill: [(exemplar.text, exemplar.intent) for exemplar in exemplars]
        for skill, exemplars in catalog.exemplars.all().items()
    }


def test_added_ones_are_listed_oldest_first(banking: Catalog) -> None:
    assert banking.exemplars.all() == {}
    added = [banking.exemplars.add("banking", text, "freeze_card") for text in ("z", "a")]
    added.append(banking.exemplars.add("travel", "z", "book"))
    assert banking.exemplars.all() == {"banking": tuple(added[:2]), "travel": (added[2],)}
    assert [(each.skill, each.by) for each in added] == [("banking", "ada")] * 2 + [("travel", "ada")]


def test_the_same_text_changes_its_intent(banking: Catalog, url: str) -> None:
    first = banking.exemplars.add("banking", "lost it", "check_balance")
    with closing(Catalog.open(url, by="grace")) as other:
        changed = other.exemplars.add("banking", "lost it", "freeze_card")
    assert (changed.id, changed.intent, changed.by) == (first.id, "freeze_card", "grace")
    assert changed.at >= first.at
    assert intents(banking) == {"banking": [("lost it", "freeze_card")]}


def test_every_change_raises_the_revision(banking: Catalog) -> None:
    revisions = [banking.revision()]
    for change in (
        lambda: banking.exemplars.add("banking", "lost it", "freeze_card"),
        lambda: banking.exemplars.remove("banking", "lost it"),
    ):
        change()
        revisions.append(banking.revision())
    assert revisions == [2, 3, 4]


def test_removing_one_or_all(banking: Catalog) -> None:
    for text in ("a", "b", "c"):
        banking.exemplars.add("banking", text, "freeze_card")
    banking.exemplars.add("travel", "a", "book")
    assert banking.exemplars.remove("banking", "b") == 1
    assert banking.exemplars.remove("banking", "b") == 0
    assert intents(banking)["banking"] == [("a", "freeze_card"), ("c", "freeze_card")]
    assert banking.exemplars.remove("banking") == 2
    assert intents(banking) == {"travel": [("a", "book")]}


@pytest.mark.parametrize(
    "text", ["😀" * 2000, "".join(chr(0x4E00 + i) for i in range(2000)), "it's", "%", "größer"]
)
def test_any_text_that_can_be_asked(banking: Catalog, text: str) -> None:
    banking.exemplars.add("banking", text, "freeze_card")
    assert intents(banking) == {"banking": [(text, "freeze_card")]}


@pytest.mark.parametrize(
    ("text", "intent", "message"),
    [
        ("", "freeze_card", "exemplar's text has 1 to 2,000 characters, not 0"),
        (" \n", "freeze_card", "exemplar's text has 1 to 2,000 characters, not 2"),
        ("x" * 2001, "freeze_card", "exemplar's text has 1 to 2,000 characters, not 2,001"),
        ("a\0b", "freeze_card", "exemplar's text has a character that is no text"),
        ("half \ud83d", "freeze_card", "exemplar's text has a character that is no text"),
        ("lost it", "", "exemplar's intent has 1 to 512 characters, not 0"),
        ("lost it", "x" * 513, "exemplar's intent has 1 to 512 characters, not 513"),
    ],
)
def test_wrong_input(banking: Catalog, text: str, intent: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        banking.exemplars.add("banking", text, intent)
    assert (intents(banking), banking.revision()) == ({}, 2)


def test_unknown_skill(banking: Catalog) -> None:
    with pytest.raises(UnknownSkillError, match="no skill 'bankng'; there are banking"):
        banking.exemplars.add("bankng", "lost it", "freeze_card")
    with pytest.raises(UnknownSkillError, match="no skill 'bankng'"):
        banking.exemplars.remove("bankng")


def test_there_are_only_so_many(banking: Catalog, execute: Callable[..., object]) -> None:
    banking.exemplars.add("banking", "first", "freeze_card")
    execute(
        'INSERT INTO exemplars (skill_id, text, intent, at, "by") WITH RECURSIVE n(i) AS '
        "(SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < :most) "
        "SELECT skill_id, 'text ' || i, intent, at, \"by\" FROM n, exemplars",
        most=MAX_EXEMPLARS,
    )
    with pytest.raises(InputError, match="skill 'banking' has 1,000 exemplars"):
        banking.exemplars.add("banking", "one too many", "freeze_card")
    banking.exemplars.add("banking", "first", "check_balance")
    banking.exemplars.add("travel", "first", "book")
    assert {skill: len(found) for skill, found in intents(banking).items()} == {"banking": 1000, "travel": 1}


def test_deleted_skills_keep_theirs_for_a_restore(banking: Catalog) -> None:
    banking.exemplars.add("banking", "lost it", "freeze_card")
    banking.delete("banking")
    assert banking.exemplars.all() == {}
    banking.restore("banking")
    assert intents(banking) == {"banking": [("lost it", "freeze_card")]}
