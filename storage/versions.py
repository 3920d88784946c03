"""Skill versions between the domain and their rows."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from sqlalchemy import Row, Select, delete, func, select
from sqlalchemy.orm import Session

from skills.errors import InputError, SkillRefusedError
from skills.skill import LIVE, Calibration, Method, Provenance, SkillDraft, SkillKind, SkillVersion
from storage.aliases import aliases_by_version
from storage.blobs import add_blob, read_blob
from storage.change import Change
from storage.tables import BlobRow, SkillAliasRow, SkillRow, SkillVersionRow, TrafficRow

VersionSelect: TypeAlias = Select[SkillVersionRow, str, str, int]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SkillSummary:
    """A skill in a list of many: its live version or, if none is live, its newest; and how many there are."""

    shown: SkillVersion
    versions: int


def select_versions() -> VersionSelect:
    """Select all versions of skills that are not deleted, with name, kind and blob size, without the blob."""
    return (
        select(SkillVersionRow, SkillRow.name, SkillRow.kind, func.coalesce(BlobRow.size, 0))
        .join(SkillRow, SkillRow.id == SkillVersionRow.skill_id)
        .join(BlobRow, BlobRow.sha256 == SkillVersionRow.sha256, isouter=True)  # a lost blob hides no version
        .where(SkillRow.deleted_at.is_(None))
    )


def read_versions(session: Session, wanted: VersionSelect) -> list[SkillVersion]:
    """Return the selected versions; leaves out, and logs, those that this program cannot read."""
    found = []
    aliases = aliases_by_version(session)
    for row in session.execute(wanted):
        try:
            found.append(_from_row(row, aliases))
        except SkillRefusedError as error:
            logger.warning("%s", error)
    return found


def read_overview(session: Session) -> list[SkillSummary]:
    """Return one entry a skill, by name; leaves out, and logs, those that this program cannot read."""
    live = select(SkillAliasRow.version).filter_by(skill_id=SkillRow.id, alias=LIVE).scalar_subquery()
    shown = select_versions().where(SkillVersionRow.number == func.coalesce(live, SkillRow.last_version))
    counts = {
        name: count
        for name, count in session.execute(
            select(SkillRow.name, func.count())
            .join(SkillVersionRow, SkillVersionRow.skill_id == SkillRow.id)
            .group_by(SkillRow.name)
        )
    }
    versions = read_versions(session, shown.order_by(SkillRow.name))
    return [SkillSummary(version, counts[version.name]) for version in versions]


def read_version(session: Session, skill_id: int, number: int) -> SkillVersion:
    """Return one version that exists.

    Raises:
        SkillRefusedError: this program cannot read it.
    """
    wanted = select_versions().where(SkillVersionRow.skill_id == skill_id, SkillVersionRow.number == number)
    return _from_row(session.execute(wanted).one(), aliases_by_version(session, skill_id))


def read_tensors(session: Session, version: SkillVersion) -> bytes:
    """Return a version's safetensors file, checked.

    Raises:
        SkillRefusedError: it is missing, or is not what was published.
    """
    data = read_blob(session, version.sha256)
    if data is None:
        fault = f"{version.sha256} are missing in the catalog"
    elif len(data) != version.bytes:
        fault = f"have {len(data)} bytes instead of {version.bytes}"
    elif (found := hashlib.sha256(data).hexdigest()) != version.sha256:
        fault = f"are corrupt: their SHA-256 is {found} instead of {version.sha256}"
    else:
        return data
    raise SkillRefusedError(f"tensors of {version} {fault}; publish it again, or promote another version")


def skill_to_publish(change: Change, draft: SkillDraft) -> SkillRow:
    """Return the row of a draft's skill: there already, new, or revived without the trial that it had.

    Raises:
        InputError: the skill has another kind.
    """
    skill = change.session.scalar(select(SkillRow).where(SkillRow.name == draft.name))
    if skill is None:
        skill = SkillRow(name=draft.name, kind=str(draft.kind), created_at=change.at, last_version=0)
        change.session.add(skill)
    elif skill.kind != draft.kind:
        raise InputError(
            f"skill {draft.name!r} is of kind {skill.kind!r}, not {str(draft.kind)!r}: use another name",
            field="kind",
        )
    elif skill.deleted_at is not None:
        change.session.execute(delete(TrafficRow).where(TrafficRow.skill_id == skill.id))
    skill.deleted_at = None
    change.session.flush()
    return skill


def add_version(change: Change, skill: SkillRow, draft: SkillDraft) -> int:
    """Store a draft as the skill's next version and return its number."""
    session = change.session
    skill.last_version += 1
    row = SkillVersionRow(
        skill_id=skill.id,
        number=skill.last_version,
        method=str(draft.method),
        labels=list(draft.labels),
        backbone=draft.backbone,
        head=draft.head,
        calibration=asdict(draft.calibration),
        metrics=draft.metrics,
        provenance=asdict(draft.provenance),
        sha256=add_blob(session, draft.tensors),
        created_at=change.at,
    )
    session.add(row)
    session.flush()
    number = row.number
    session.expire(row)  # who reads it in this transaction gets what is stored, not the draft's own objects
    return number


def check_json(draft: SkillDraft) -> None:
    """Check that a draft's settings and numbers can be stored on any database.

    Raises:
        InputError: one is not JSON, or is NaN or infinite.
    """
    parts: dict[str, Any] = {
        "head": draft.head,
        "calibration": asdict(draft.calibration),
        "metrics": draft.metrics,
        "provenance": asdict(draft.provenance),
    }
    for field, value in parts.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{field} of skill {draft.name!r} cannot be stored as JSON ({error}): "
                "use strings, finite numbers, lists and dictionaries, and leave out what is not a number",
                field=field,
            ) from error


def _from_row(
    row: Row[SkillVersionRow, str, str, int], aliases: dict[tuple[int, int], list[str]]
) -> SkillVersion:
    version, name, kind, size = row
    try:
        return SkillVersion(
            name=name,
            version=version.number,
            kind=SkillKind(kind),
            method=Method(version.method),
            labels=tuple(version.labels),
            backbone=version.backbone,
            head=version.head,
            calibration=Calibration(**version.calibration),
            metrics=version.metrics,
            provenance=Provenance(**version.provenance),
            sha256=version.sha256,
            bytes=size,
            created_at=version.created_at,
            aliases=tuple(aliases.get((version.skill_id, version.number), ())),
        )
    except (KeyError, TypeError, ValueError) as error:  # written by a newer program, or by hand
        raise SkillRefusedError(
            f"skill version {name}@{version.number} cannot be read by this program ({error}): "
            "upgrade softspoken, or train and publish it again"
        ) from error
