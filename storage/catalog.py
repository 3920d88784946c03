"""The catalog: versioned skills in a SQL database.

Every write is one transaction that first raises the catalog's revision. That row's lock also makes writers
take turns, so that two publishers never get the same number.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from skills.errors import InputError, SkillRefusedError, UnknownSkillError
from skills.skill import LIVE, SkillDraft, SkillRef, SkillVersion, check_name
from storage import schema
from storage.aliases import aliases_of, move_alias, remove_aliases, version_before
from storage.database import Database
from storage.tables import (
    STATE_ID,
    AliasChange,
    BlobRow,
    CatalogStateRow,
    SkillAliasRow,
    SkillRow,
    SkillVersionRow,
)
from storage.versions import add_version, check_json, read_version, read_versions, select_versions

_CLOSE_MATCHES = 3


class Catalog:
    """Skills, their immutable versions and the aliases that name them. Safe to share between threads.

    Raises:
        CatalogError: from every method; the database cannot be reached, read or written.
    """

    def __init__(self, url: str) -> None:
        """Name the database; nothing is connected or checked yet. `open` is the usual way."""
        self._database = Database(url)

    @classmethod
    def open(cls, url: str) -> Catalog:
        """Connect and check the schema; a fresh SQLite file gets it here, whoever else opens it too.

        Raises:
            SchemaError: the schema is older or newer than this program.
            CatalogError: the database cannot be reached, read or made, or is not a catalog.
        """
        catalog = cls(url)
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

    def publish(self, draft: SkillDraft, *, alias: str | None = None) -> SkillVersion:
        """Store a draft as its skill's next version and let `alias` name it; makes or revives the skill.

        `head`, `metrics` and `provenance.config` hold JSON: a tuple in them comes back as a list.

        Raises:
            InputError: the skill has another kind, or a name or value cannot be stored.
        """
        check_name(draft.name)
        check_json(draft)
        if alias is not None:
            _check_alias(alias)
        with self._write() as (session, now):
            skill_id = _skill_to_publish(session, draft, now)
            number = add_version(session, skill_id, draft, now)
            if alias is not None:
                move_alias(session, skill_id, alias, number, kind=AliasChange.PROMOTE, at=now)
            return read_version(session, skill_id, number)

    def versions(self, name: str | None = None) -> list[SkillVersion]:
        """Return the versions of one skill, or of all, newest first; none for an unknown or deleted skill."""
        wanted = select_versions()
        if name is None:
            wanted = wanted.order_by(SkillVersionRow.created_at.desc(), SkillRow.name)
        else:
            wanted = wanted.where(SkillRow.name == name)
        with self._database.read() as session:
            return read_versions(session, wanted.order_by(SkillVersionRow.number.desc()))

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
            return read_version(session, *_find(session, ref))

    def tensors(self, version: SkillVersion) -> bytes:
        """Return a version's safetensors file, checked.

        Raises:
            SkillRefusedError: it is missing, or is not what was published.
        """
        with self._database.read() as session:
            data = session.scalar(select(BlobRow.data).where(BlobRow.sha256 == version.sha256))
        if data is None:
            fault = f"{version.sha256} are missing in the catalog"
        elif len(data) != version.bytes:
            fault = f"have {len(data)} bytes instead of {version.bytes}"
        elif (found := hashlib.sha256(data).hexdigest()) != version.sha256:
            fault = f"are corrupt: their SHA-256 is {found} instead of {version.sha256}"
        else:
            return data
        raise SkillRefusedError(f"tensors of {version} {fault}; publish it again, or promote another version")

    def promote(self, ref: SkillRef, alias: str = LIVE) -> SkillVersion:
        """Let `alias` name a version and return it.

        Raises:
            UnknownSkillError: no such skill, version or alias.
            InputError: `alias` is not a valid name.
        """
        _check_alias(alias)
        with self._write() as (session, now):
            skill_id, number = _find(session, ref)
            move_alias(session, skill_id, alias, number, kind=AliasChange.PROMOTE, at=now)
            return read_version(session, skill_id, number)

    def rollback(self, name: str, alias: str = LIVE) -> SkillVersion:
        """Let `alias` name the version that it named before (rule: `storage.aliases`) and return that.

        Raises:
            UnknownSkillError: no such skill or alias.
            InputError: the alias named no other version before.
        """
        with self._write() as (session, now):
            skill_id, current = _find(session, SkillRef(name, alias))
            number = version_before(session, skill_id, alias)
            if number is None:
                raise InputError(
                    f"alias {alias!r} of skill {name!r} cannot be rolled back: it named no version before "
                    f"{current}; promote the version that it shall name",
                    field="alias",
                )
            move_alias(session, skill_id, alias, number, kind=AliasChange.ROLLBACK, at=now)
            return read_version(session, skill_id, number)

    def delete(self, name: str) -> None:
        """Take a skill and its aliases out of all lists; its name and version numbers stay taken.

        Raises:
            UnknownSkillError: no such skill.
        """
        with self._write() as (session, now):
            skill = _find_skill(session, name)
            remove_aliases(session, skill.id, now)
            skill.deleted_at = now

    @contextmanager
    def _write(self) -> Iterator[tuple[Session, datetime]]:
        with self._database.write() as session:
            session.execute(update(CatalogStateRow).values(revision=CatalogStateRow.revision + 1))
            yield session, datetime.now(UTC)


def _check_alias(alias: str) -> None:
    check_name(alias, what="alias")
    if alias.isdigit():
        raise InputError(f"alias {alias!r} would be read as a version: use a letter in it", field="alias")


def _skill_to_publish(session: Session, draft: SkillDraft, now: datetime) -> int:
    skill = session.scalar(select(SkillRow).where(SkillRow.name == draft.name))
    if skill is None:
        skill = SkillRow(name=draft.name, kind=str(draft.kind), created_at=now)
        session.add(skill)
    elif skill.kind != draft.kind:
        raise InputError(
            f"skill {draft.name!r} is of kind {skill.kind!r}, not {str(draft.kind)!r}: use another name",
            field="kind",
        )
    skill.deleted_at = None
    session.flush()
    return skill.id


def _find_skill(session: Session, name: str) -> SkillRow:
    check_name(name)
    skill = session.scalar(select(SkillRow).where(SkillRow.name == name))
    if skill is not None and skill.deleted_at is None:
        return skill
    if skill is not None:
        when = f"{skill.deleted_at:%Y-%m-%d %H:%M} UTC"
        raise UnknownSkillError(
            f"skill {name!r} was deleted at {when}: publish to it to revive it", field="name"
        )
    alive = select(SkillRow.name).where(SkillRow.deleted_at.is_(None)).order_by(SkillRow.name)
    names = list(session.scalars(alive))
    close = difflib.get_close_matches(name, names, n=_CLOSE_MATCHES) or names
    there = f"there are {_listed(close)}" if close else "the catalog is empty: publish a skill first"
    raise UnknownSkillError(f"no skill {name!r}; {there}", field="name")


def _find(session: Session, ref: SkillRef) -> tuple[int, int]:
    """Return the skill's id and the version's number."""
    skill = _find_skill(session, ref.name)
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
            return skill.id, ref.selector
        raise UnknownSkillError(
            f"skill {ref.name!r} has no version {ref.selector}; there are {_listed(numbers)}", field="version"
        )
    if ref.selector in aliases:
        return skill.id, aliases[ref.selector]
    there = f"there are {_listed(list(aliases))}" if aliases else "it has none"
    raise UnknownSkillError(
        f"skill {ref.name!r} has no alias {ref.selector!r}; {there}; its versions are {_listed(numbers)}: "
        "promote one of them",
        field="version",
    )


def _listed(items: list[str] | list[int]) -> str:
    most = 10  # enough to choose from, short enough to read
    shown = ", ".join(str(item) for item in items[:most])
    return f"{shown} and {len(items) - most} more" if len(items) > most else shown
