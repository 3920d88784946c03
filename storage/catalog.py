"""The catalog: versioned skills in a SQL database, and beside them jobs, exemplars and trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from sqlalchemy import select

from skills.errors import InputError
from skills.job import Lease
from skills.skill import GRACE, LIVE, SkillDraft, SkillRef, SkillVersion, check_name
from storage import schema
from storage.aliases import move_alias, remove_aliases, restore_aliases, version_before
from storage.audit import AuditEntry, read_audit
from storage.blobs import read_blob
from storage.change import Change, changing
from storage.database import Database
from storage.exemplars import Exemplars
from storage.job_rows import succeed
from storage.jobs import JobQueue
from storage.keys import ApiKeys
from storage.lookup import find_skill, find_version
from storage.notifications import Listener
from storage.purge import drop_deleted
from storage.tables import (
    STATE_ID,
    AliasChange,
    CatalogStateRow,
    JobRow,
    SkillAliasRow,
    SkillRow,
    SkillVersionRow,
)
from storage.trials import Trials
from storage.versions import (
    SkillSummary,
    add_version,
    check_json,
    read_overview,
    read_tensors,
    read_version,
    read_versions,
    select_versions,
    skill_to_publish,
)


class Catalog:
    """Skills, their immutable versions and the aliases that name them. Safe to share between threads.

    Raises:
        CatalogError: from every method; the database cannot be reached, read or written.
    """

    def __init__(self, url: str, *, by: str = "") -> None:
        """Name the database, and who is at it; nothing is connected yet. `open` is the usual way."""
        self._database = Database(url)
        self._by = by
        self.jobs = JobQueue(self._database, self._by)
        self.keys = ApiKeys(self._database, self._by)
        self.exemplars = Exemplars(self._database, self._by)
        self.trials = Trials(self._database, self._by)

    @classmethod
    def open(cls, url: str, *, by: str = "") -> Catalog:
        """Connect and check the schema; a fresh SQLite file gets it here, whoever else opens it too.

        Raises:
            SchemaError: the schema is older or newer than this program.
            CatalogError: the database cannot be reached, read or made, or is not a catalog.
        """
        catalog = cls(url, by=by)
        try:
            schema.prepare(catalog._database)
        except BaseException:
            catalog.close()
            raise
        return catalog

    def close(self) -> None:
        """Close all connections."""
        self._database.close()

    def revision(self) -> int:
        """Return a number that every write raises; cheap enough to poll."""
        with self._database.read() as session:
            return session.scalars(select(CatalogStateRow.revision).filter_by(id=STATE_ID)).one()

    def listen(self, on_change: Callable[[], object]) -> Callable[[], object]:
        """Call `on_change`, in a thread, soon after every write by anyone; return what ends that.

        Only PostgreSQL tells of writes. With SQLite nothing is called, and whoever wants to know must poll.
        """
        return (lambda: None) if self._database.is_sqlite else Listener(self._database, on_change).close

    def publish(
        self, draft: SkillDraft, *, alias: str | None = None, lease: Lease | None = None, reason: str = ""
    ) -> SkillVersion:
        """Store a draft as its skill's next version and let `alias` name it; makes or revives the skill.

        With the lease of the job that trained it, the job ends in the same transaction; `reason` then tells
        why the version was not promoted. `head`, `metrics` and `provenance.config` hold JSON: a tuple in them
        comes back as a list.

        Raises:
            InputError: the skill has another kind, or a name or value cannot be stored.
            LeaseLostError: another worker has the job, or it has ended.
        """
        check_name(draft.name)
        check_json(draft)
        if alias is not None:
            check_alias(alias)
        with self._changing() as change:
            skill = skill_to_publish(change, draft)
            number = add_version(change, skill, draft)
            change.record("publish", skill.name, to_version=number)
            if lease is not None:
                succeed(change, lease, number, reason)
            if alias is not None:
                move_alias(change, skill, alias, number, AliasChange.PROMOTE)
            return read_version(change.session, skill.id, number)

    def versions(self, name: str | None = None) -> list[SkillVersion]:
        """Return the versions of one skill, or of all, newest first; none for an unknown or deleted skill."""
        wanted = select_versions()
        if name is None:
            wanted = wanted.order_by(SkillVersionRow.created_at.desc(), SkillRow.name)
        else:
            wanted = wanted.where(SkillRow.name == name)
        with self._database.read() as session:
            return read_versions(session, wanted.order_by(SkillVersionRow.number.desc()))

    def overview(self) -> list[SkillSummary]:
        """Return one entry a skill, by name: a list of many need not read all their versions."""
        with self._database.read() as session:
            return read_overview(session)

    def aliased(self) -> list[SkillVersion]:
        """Return every version that some alias names, by skill name: what a server loads."""
        named = (
            select(SkillAliasRow)
            .where(SkillAliasRow.skill_id == SkillVersionRow.skill_id)
            .where(SkillAliasRow.version == SkillVersionRow.number)
        )
        wanted = select_versions().where(named.exists())
        with self._database.read() as session:
            return read_versions(session, wanted.order_by(SkillRow.name, SkillVersionRow.number.desc()))

    def get(self, ref: SkillRef) -> SkillVersion:
        """Return the version that a reference names.

        Raises:
            UnknownSkillError: no such skill, version or alias; names what exists.
            SkillRefusedError: it was written by another program and cannot be read.
        """
        with self._database.read() as session:
            skill, number = find_version(session, ref)
            return read_version(session, skill.id, number)

    def tensors(self, version: SkillVersion) -> bytes:
        """Return a version's safetensors file, checked.

        Raises:
            SkillRefusedError: it is missing, or is not what was published.
        """
        with self._database.read() as session:
            return read_tensors(session, version)

    def dataset(self, version: SkillVersion) -> bytes | None:
        """Return the rows, as `TrainingData`, of the job that published a version; None without one."""
        wanted = select(JobRow.dataset).where(JobRow.skill == version.name, JobRow.version == version.version)
        with self._database.read() as session:
            sha256 = session.scalar(wanted)
            return None if sha256 is None else read_blob(session, sha256)

    def promote(self, ref: SkillRef, alias: str = LIVE, *, by: str = "") -> SkillVersion:
        """Let `alias` name a version and return it; `by` is for the audit log if not the catalog's own.

        Raises:
            UnknownSkillError: no such skill, version or alias.
            InputError: `alias` is not a valid name.
        """
        check_alias(alias)
        with self._changing(by) as change:
            skill, number = find_version(change.session, ref)
            move_alias(change, skill, alias, number, AliasChange.PROMOTE)
            return read_version(change.session, skill.id, number)

    def rollback(self, name: str, alias: str = LIVE, *, by: str = "") -> SkillVersion:
        """Let `alias` name the version that it named before (rule: `storage.aliases`) and return that.

        Raises:
            UnknownSkillError: no such skill or alias.
            InputError: the alias named no other version before.
        """
        with self._changing(by) as change:
            skill, current = find_version(change.session, SkillRef(name, alias))
            number = version_before(change.session, skill.id, alias)
            if number is None:
                raise InputError(
                    f"alias {alias!r} of skill {name!r} cannot be rolled back: it named no version before "
                    f"{current}; promote the version that it shall name",
                    field="alias",
                )
            move_alias(change, skill, alias, number, AliasChange.ROLLBACK)
            return read_version(change.session, skill.id, number)

    def delete(self, name: str, *, by: str = "") -> None:
        """Take a skill and its aliases out of all lists; `restore` brings them back until `purge`.

        Raises:
            UnknownSkillError: no such skill.
        """
        with self._changing(by) as change:
            skill = find_skill(change.session, name)
            if not remove_aliases(change, skill):
                change.record("delete", name)
            skill.deleted_at = change.at

    def restore(self, name: str) -> list[SkillVersion]:
        """Bring a deleted skill back with the aliases that it had, and return its versions.

        Raises:
            InputError: it is not deleted, or its versions are purged.
            UnknownSkillError: there never was such a skill.
        """
        with self._changing() as change:
            session = change.session
            skill = session.scalar(select(SkillRow).where(SkillRow.name == check_name(name)))
            if skill is None or skill.deleted_at is None:
                find_skill(session, name)
                raise InputError(f"skill {name!r} is not deleted: nothing to restore", field="name")
            if session.get(SkillVersionRow, (skill.id, skill.last_version)) is None:
                raise InputError(f"skill {name!r} is purged: train it again, or import it", field="name")
            restore_aliases(change, skill)
            skill.deleted_at = None
            change.record("restore", name)
            session.flush()
            wanted = select_versions().where(SkillRow.name == name)
            return read_versions(session, wanted.order_by(SkillVersionRow.number.desc()))

    def purge(self, older_than: timedelta = GRACE) -> int:
        """Drop for good what was deleted so long ago, and blobs that nothing needs; returns the versions.

        The names of the skills, their version numbers, and the audit log stay.
        """
        with self._changing() as change:
            return drop_deleted(change, older_than)

    def audit(self, skill: str | None = None, *, limit: int = 100) -> Sequence[AuditEntry]:
        """Return who did what, of one skill or of all, newest first."""
        with self._database.read() as session:
            return read_audit(session, skill, limit)

    def _changing(self, by: str = "") -> AbstractContextManager[Change]:
        return changing(self._database, by or self._by)


def check_alias(alias: str) -> None:
    """Check what an alias may be called.

    Raises:
        InputError: it is no name, or would be read as a version.
    """
    check_name(alias, what="alias")
    if alias.isdigit():
        raise InputError(f"alias {alias!r} would be read as a version: use a letter in it", field="alias")
