"""Dropping for good what was deleted, once nobody wants it back."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select, update

from storage.blobs import drop_unreferenced
from storage.change import Change
from storage.tables import AliasHistoryRow, ExemplarRow, JobRow, SkillRow, SkillVersionRow, TrafficRow


def drop_deleted(change: Change, older_than: timedelta) -> int:
    """Drop the versions of skills deleted so long ago, and blobs without use; returns how many versions.

    Jobs that ended so long ago lose their checkpoints: a retry of one begins anew.
    """
    session = change.session
    deleted = select(SkillRow).where(SkillRow.deleted_at <= change.at - older_than)
    dropped = 0
    for skill in session.scalars(deleted).all():
        mine = SkillVersionRow.skill_id == skill.id
        count = session.scalar(select(func.count()).select_from(SkillVersionRow).where(mine)) or 0
        for table in (SkillVersionRow, AliasHistoryRow, ExemplarRow, TrafficRow):
            session.execute(delete(table).where(table.skill_id == skill.id))
        session.execute(delete(JobRow).where(JobRow.skill == skill.name, JobRow.finished_at.is_not(None)))
        if count:
            change.record("purge", skill.name, detail=f"{count} versions")
        dropped += count
    ended = JobRow.finished_at <= change.at - older_than
    session.execute(update(JobRow).where(ended).values(checkpoint=None))
    session.flush()
    drop_unreferenced(session)
    return dropped
