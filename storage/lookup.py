"""Finding skills and versions by what users call them."""

from __future__ import annotations

import difflib

from sqlalchemy import select
from sqlalchemy.orm import Session

from skills.errors import UnknownSkillError
from skills.skill import SkillRef, check_name
from storage.aliases import aliases_of
from storage.tables import SkillRow, SkillVersionRow

_CLOSE_MATCHES = 3
_LISTED = 10  # enough to choose from, short enough to read


def find_skill(session: Session, name: str) -> SkillRow:
    """Return the row of a skill that is not deleted.

    Raises:
        UnknownSkillError: there is none; names what exists.
    """
    check_name(name)
    skill = session.scalar(select(SkillRow).where(SkillRow.name == name))
    if skill is not None and skill.deleted_at is None:
        return skill
    if skill is not None:
        when = f"{skill.deleted_at:%Y-%m-%d %H:%M} UTC"
        raise UnknownSkillError(
            f"skill {name!r} was deleted at {when}: restore it, or publish to it to revive it", field="name"
        )
    alive = select(SkillRow.name).where(SkillRow.deleted_at.is_(None)).order_by(SkillRow.name)
    names = list(session.scalars(alive))
    close = difflib.get_close_matches(name, names, n=_CLOSE_MATCHES) or names
    there = f"there are {_listed(close)}" if close else "the catalog is empty: publish a skill first"
    raise UnknownSkillError(f"no skill {name!r}; {there}", field="name")


def find_version(session: Session, ref: SkillRef) -> tuple[SkillRow, int]:
    """Return the skill's row and the version's number.

    Raises:
        UnknownSkillError: no such skill, version or alias; names what exists.
    """
    skill = find_skill(session, ref.name)
    aliases = aliases_of(session, skill.id)
    numbers = list(
        session.scalars(
            select(SkillVersionRow.number)
            .where(SkillVersionRow.skill_id == skill.id)
            .order_by(SkillVersionRow.number.desc())
        )
    )
    if isinstance(ref.selector, int):
        if ref.selector in numbers:
            return skill, ref.selector
        raise UnknownSkillError(
            f"skill {ref.name!r} has no version {ref.selector}; there are {_listed(numbers)}", field="version"
        )
    if ref.selector in aliases:
        return skill, aliases[ref.selector]
    there = f"there are {_listed(list(aliases))}" if aliases else "it has none"
    raise UnknownSkillError(
        f"skill {ref.name!r} has no alias {ref.selector!r}; {there}; its versions are {_listed(numbers)}: "
        "promote one of them",
        field="version",
    )


def _listed(items: list[str] | list[int]) -> str:
    shown = ", ".join(str(item) for item in items[:_LISTED])
    return f"{shown} and {len(items) - _LISTED} more" if len(items) > _LISTED else shown
