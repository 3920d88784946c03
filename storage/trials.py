"""Trials in the catalog: how much of a skill's traffic its candidate gets."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from skills.skill import SkillRef
from skills.traffic import CANDIDATE, Traffic
from storage.change import changing
from storage.database import Database
from storage.lookup import find_skill, find_version
from storage.tables import SkillRow, TrafficRow


class Trials:
    """The trials of all skills.

    Raises:
        CatalogError: from every method; the database cannot be reached, read or written.
    """

    def __init__(self, database: Database, by: str) -> None:
        self._database = database
        self._by = by

    def set(self, skill: str, traffic: Traffic) -> None:
        """Give the candidate its share from now on; none ends the trial.

        Raises:
            UnknownSkillError: there is no such skill, or it has no candidate.
        """
        with changing(self._database, self._by) as change:
            found = find_skill(change.session, skill)
            if traffic.is_on:
                find_version(change.session, SkillRef(skill, CANDIDATE))
            row = change.session.get(TrafficRow, found.id)
            if row is not None:
                change.session.delete(row)
                change.session.flush()
            if traffic.is_on:
                row = TrafficRow(skill_id=found.id, canary=traffic.canary, shadow=traffic.shadow)
                change.session.add(row)
            change.record("traffic", skill, detail=f"canary {traffic.canary:g}, shadow {traffic.shadow:g}")

    def all(self) -> Mapping[str, Traffic]:
        """Return the trials that are on, by the name of the skill."""
        wanted = select(SkillRow.name, TrafficRow).join(SkillRow, SkillRow.id == TrafficRow.skill_id)
        with self._database.read() as session:
            rows = session.execute(wanted.where(SkillRow.deleted_at.is_(None))).all()
            return {name: Traffic(row.canary, row.shadow) for name, row in rows}
