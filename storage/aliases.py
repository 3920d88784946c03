"""Aliases: movable names for versions, and the history that a rollback reads.

The rollback rule. The history of an alias is a stack of versions: a promotion pushes the version, a
rollback pops one, a deletion of the skill empties it; promoting the version that the alias names already
changes nothing. A rollback names the version that is then on top. So two rollbacks in a row go two
promotions back, and a promotion after a rollback forgets the version that was rolled back.
"""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from storage.change import Change
from storage.tables import AliasChange, AliasHistoryRow, SkillAliasRow, SkillRow


def aliases_of(session: Session, skill_id: int) -> dict[str, int]:
    """Return the version numbers that the aliases of a skill name, by alias."""
    rows = session.scalars(_select_aliases(skill_id))
    return {row.alias: row.version for row in rows}


def aliases_by_version(session: Session, skill_id: int | None = None) -> dict[tuple[int, int], list[str]]:
    """Return the aliases of one skill, or of all, by skill id and version number."""
    aliases: dict[tuple[int, int], list[str]] = {}
    columns = (SkillAliasRow.skill_id, SkillAliasRow.version, SkillAliasRow.alias)
    for skill, version, alias in session.execute(_select_aliases(skill_id).with_only_columns(*columns)):
        aliases.setdefault((skill, version), []).append(alias)
    return aliases


def move_alias(change: Change, skill: SkillRow, alias: str, to: int, kind: AliasChange) -> None:
    """Let an alias, new or not, name version `to`, and record it."""
    session = change.session
    row = session.get(SkillAliasRow, (skill.id, alias))
    before = None if row is None else row.version
    if before == to:
        return
    if row is None:
        session.add(SkillAliasRow(skill_id=skill.id, alias=alias, version=to))
    else:
        row.version = to
    _remember(change, skill, alias, before, to, kind)
    session.flush()


def remove_aliases(change: Change, skill: SkillRow) -> int:
    """Remove all aliases of a skill, record it, and return how many they were."""
    rows = change.session.scalars(_select_aliases(skill.id)).all()
    for row in rows:
        _remember(change, skill, row.alias, row.version, None, AliasChange.DELETE)
        change.session.delete(row)
    return len(rows)


def restore_aliases(change: Change, skill: SkillRow) -> None:
    """Give a skill the aliases back that its deletion removed."""
    removed = select(AliasHistoryRow).where(
        AliasHistoryRow.skill_id == skill.id,
        AliasHistoryRow.kind == str(AliasChange.DELETE),
        AliasHistoryRow.at == skill.deleted_at,
    )
    for row in change.session.scalars(removed).all():
        if row.from_version is not None:
            move_alias(change, skill, row.alias, row.from_version, AliasChange.PROMOTE)


def _remember(
    change: Change, skill: SkillRow, alias: str, before: int | None, to: int | None, kind: AliasChange
) -> None:
    move = AliasHistoryRow(skill_id=skill.id, alias=alias, at=change.at, kind=str(kind))
    move.from_version, move.to_version = before, to
    change.session.add(move)
    change.record(str(kind), skill.name, alias=alias, from_version=before, to_version=to)


def version_before(session: Session, skill_id: int, alias: str) -> int | None:
    """Return the version that a rollback of an alias goes to; None when there is none."""
    moves = session.execute(
        select(AliasHistoryRow.kind, AliasHistoryRow.to_version)
        .where(AliasHistoryRow.skill_id == skill_id, AliasHistoryRow.alias == alias)
        .order_by(AliasHistoryRow.id)
    )
    named: list[int] = []
    for kind, to in moves:
        if kind == AliasChange.PROMOTE and to is not None:
            named.append(to)
        elif kind == AliasChange.ROLLBACK:
            named.pop()
        else:
            named.clear()
    return named[-2] if len(named) > 1 else None


def _select_aliases(skill_id: int | None) -> Select[SkillAliasRow]:
    wanted = select(SkillAliasRow).order_by(SkillAliasRow.alias)
    return wanted if skill_id is None else wanted.where(SkillAliasRow.skill_id == skill_id)
