"""Exemplars in the catalog: what people have told a skill since its last training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import func, select

from skills.errors import InputError
from skills.exemplar import MAX_EXEMPLARS, Exemplar
from skills.parse import MAX_TEXT
from storage.change import MAX_WHO, Change, changing
from storage.database import Database
from storage.lookup import find_skill
from storage.tables import ExemplarRow, SkillRow

MAX_INTENT = 512  # characters, as of a label in a skill file


class Exemplars:
    """The exemplars of all skills.

    Raises:
        UnknownSkillError: from every method that names a skill; there is no such one.
        CatalogError: from every method; the database cannot be reached, read or written.
    """

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._by = by

    def add(self, skill: str, text: str, intent: str) -> Exemplar:
        """Let `text` mean `intent` from now on; a text that is there already changes its intent.

        Raises:
            InputError: text or intent is blank, too long or no text, or the skill has all that it may have.
        """
        _check("text", text, MAX_TEXT)
        _check("intent", intent, MAX_INTENT)
        with changing(self._database, self._by) as change:
            found = find_skill(change.session, skill)
            row = _row(change, found, text) or _new_row(change, found, text)
            row.intent, row.at, row.by = intent, change.at, self._by[:MAX_WHO]
            change.session.flush()
            change.record("correct", skill, detail=intent)
            return _exemplar(row, skill)

    def remove(self, skill: str, text: str | None = None) -> int:
        """Forget one text, or all of a skill, and return how many they were."""
        with changing(self._database, self._by) as change:
            found = find_skill(change.session, skill)
            wanted = select(ExemplarRow).where(ExemplarRow.skill_id == found.id)
            rows = change.session.scalars(wanted if text is None else wanted.filter_by(text=text)).all()
            for row in rows:
                change.session.delete(row)
            change.record("forget", skill, detail=f"{len(rows)} exemplars")
            return len(rows)

    def all(self) -> Mapping[str, tuple[Exemplar, ...]]:
        """Return the exemplars of every skill that has some and is not deleted, oldest first."""
        wanted = (
            select(ExemplarRow, SkillRow.name)
            .join(SkillRow, SkillRow.id == ExemplarRow.skill_id)
            .where(SkillRow.deleted_at.is_(None))
            .order_by(ExemplarRow.id)
        )
        found: defaultdict[str, list[Exemplar]] = defaultdict(list)
        with self._database.read() as session:
            for row, skill in session.execute(wanted):
                found[skill].append(_exemplar(row, skill))
        return {skill: tuple(exemplars) for skill, exemplars in found.items()}


def _check(field: str, value: str, most: int) -> None:
    if not value.strip() or len(value) > most:
        raise InputError(
            f"an exemplar's {field} has 1 to {most:,} characters, not {len(value):,}", field=field
        )
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise InputError(f"an exemplar's {field} has a character that is no text: leave it out", field=field)


def _row(change: Change, skill: SkillRow, text: str) -> ExemplarRow | None:
    wanted = select(ExemplarRow).where(ExemplarRow.skill_id == skill.id, ExemplarRow.text == text)
    return change.session.scalar(wanted)


def _new_row(change: Change, skill: SkillRow, text: str) -> ExemplarRow:
    wanted = select(func.count()).select_from(ExemplarRow).where(ExemplarRow.skill_id == skill.id)
    if (change.session.scalar(wanted) or 0) >= MAX_EXEMPLARS:
        raise InputError(
            f"skill {skill.name!r} has {MAX_EXEMPLARS:,} exemplars, and each costs time in every answer: "
            "train it with them, and forget them",
            field="skill",
        )
    row = ExemplarRow(skill_id=skill.id, text=text)
    change.session.add(row)
    return row


def _exemplar(row: ExemplarRow, skill: str) -> Exemplar:
    return Exemplar(row.id, skill, row.text, row.intent, row.at, row.by)
