"""Promotion and rollback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest

from skills.errors import InputError, UnknownSkillError
from skills.skill import SkillDraft, SkillRef
from storage.catalog import Catalog

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]
BACK = 0  # a rollback among promotions of versions 1, 2, 3


def act(catalog: Catalog, moves: list[int]) -> list[int]:
    """Promote versions of `banking`, or roll back; return the version that `live` names after each."""
    found = []
    for move in moves:
        moved = catalog.rollback("banking") if move == BACK else catalog.promote(SkillRef("banking", move))
        assert moved.aliases == ("live",)
        assert catalog.get(SkillRef("banking")) == moved
        found.append(moved.version)
    return found


@pytest.fixture
def three(catalog: Catalog, make_draft: MakeDraft) -> Catalog:
    """A catalog with three versions of `banking` and no alias."""
    for _ in range(3):
        catalog.publish(make_draft())
    return catalog


@pytest.mark.parametrize(
    ("moves", "live"),
    [
        ([1, 2, BACK], [1, 2, 1]),
        ([1, 2, 3, BACK, BACK], [1, 2, 3, 2, 1]),  # two promotions back, not to and fro
        ([1, 2, BACK, 3, BACK], [1, 2, 1, 3, 1]),  # 2 was rolled back and is forgotten
        ([1, 2, 2, BACK], [1, 2, 2, 1]),  # promoting again changes nothing
        ([1, 2, 1, BACK, BACK], [1, 2, 1, 2, 1]),
        ([3, 1, BACK], [3, 1, 3]),  # to what was named before, not to a lower number
    ],
)
def test_rollback_undoes_promotions(three: Catalog, moves: list[int], live: list[int]) -> None:
    assert act(three, moves) == live


@pytest.mark.parametrize("moves", [[1], [2, 2], [1, 2, BACK], [1, 2, 3, BACK, BACK]])
def test_nothing_to_roll_back_to(three: Catalog, moves: list[int]) -> None:
    current = act(three, moves)[-1]
    with pytest.raises(InputError, match=rf"'live' of skill 'banking' .* named no version before {current}"):
        three.rollback("banking")
    assert three.get(SkillRef("banking")).version == current


def test_aliases_roll_back_apart(three: Catalog) -> None:
    for alias, number in (("live", 1), ("candidate", 2), ("live", 2), ("candidate", 3)):
        three.promote(SkillRef("banking", number), alias)
    assert three.rollback("banking", "candidate").aliases == ("candidate", "live")
    assert three.get(SkillRef("banking", "live")).version == 2


def test_published_with_an_alias_can_be_rolled_back(catalog: Catalog, make_draft: MakeDraft) -> None:
    for _ in range(2):
        catalog.publish(make_draft(), alias="live")
    assert catalog.rollback("banking").version == 1


def test_promote_by_another_alias(three: Catalog) -> None:
    three.promote(SkillRef("banking", 2), "candidate")
    assert three.promote(SkillRef("banking", "candidate")).aliases == ("candidate", "live")


def test_deletion_forgets_what_aliases_named(three: Catalog, make_draft: MakeDraft) -> None:
    act(three, [1, 2])
    three.delete("banking")
    three.publish(make_draft(), alias="live")
    with pytest.raises(InputError, match="named no version before 4"):
        three.rollback("banking")


@pytest.mark.parametrize(
    ("name", "alias", "message"),
    [
        ("travel", "live", "no skill 'travel'"),
        ("banking", "candidate", "has no alias 'candidate'; there are live"),
    ],
)
def test_rollback_of_the_unknown(three: Catalog, name: str, alias: str, message: str) -> None:
    act(three, [1])
    with pytest.raises(UnknownSkillError, match=message):
        three.rollback(name, alias)


def test_promote_of_the_unknown(three: Catalog) -> None:
    with pytest.raises(UnknownSkillError, match="has no version 4; there are 3, 2, 1"):
        three.promote(SkillRef("banking", 4))
    with pytest.raises(InputError, match="alias '7' would be read as a version"):
        three.promote(SkillRef("banking", 1), "7")


def test_history_has_every_move(three: Catalog, execute: Execute) -> None:
    act(three, [1, 2, 2, BACK])
    three.delete("banking")
    moves = execute("SELECT alias, from_version, to_version, kind FROM alias_history ORDER BY id")
    assert moves == [
        ("live", None, 1, "promote"),
        ("live", 1, 2, "promote"),
        ("live", 2, 1, "rollback"),
        ("live", 1, None, "delete"),
    ]
