"""A damaged version is refused with a reason; everything else is served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import pytest

from skills.errors import CatalogError, SkillRefusedError
from skills.skill import SkillDraft, SkillRef
from storage.catalog import Catalog

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]


def flip_a_byte(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def truncate(data: bytes) -> bytes:
    return data[:-1]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_byte, "tensors of banking@1 are corrupt: their SHA-256 is"),
        (truncate, "tensors of banking@1 have 21 bytes instead of 22"),
    ],
)
def test_damaged_blob(
    catalog: Catalog,
    make_draft: MakeDraft,
    execute: Execute,
    damage: Callable[[bytes], bytes],
    message: str,
) -> None:
    damaged = catalog.publish(make_draft("banking"), alias="live")
    sound = catalog.publish(make_draft("travel"), alias="live")
    data = damage(catalog.tensors(damaged))
    execute("UPDATE blob_chunks SET data = :data WHERE sha256 = :sha256", data=data, sha256=damaged.sha256)
    with pytest.raises(SkillRefusedError, match=message):
        catalog.tensors(damaged)
    assert catalog.tensors(sound) == make_draft("travel").tensors
    assert catalog.aliased() == [damaged, sound]


def test_publishing_the_same_tensors_repairs_them(
    catalog: Catalog, make_draft: MakeDraft, execute: Execute
) -> None:
    damaged = catalog.publish(make_draft())
    execute("UPDATE blob_chunks SET data = :data", data=b"?")
    execute("UPDATE blobs SET size = 1")
    repaired = catalog.publish(make_draft())
    assert catalog.tensors(damaged) == catalog.tensors(repaired) == make_draft().tensors


def test_missing_blob(catalog: Catalog, url: str, make_draft: MakeDraft, execute: Execute) -> None:
    lost = catalog.publish(make_draft("banking"), alias="live")
    sound = catalog.publish(make_draft("travel"), alias="live")
    if url.startswith("postgresql"):  # SQLite's foreign keys bind only who asks for them
        execute("ALTER TABLE skill_versions DROP CONSTRAINT fk_skill_versions_sha256")
    execute("DELETE FROM blobs WHERE sha256 = :sha256", sha256=lost.sha256)
    assert [str(version) for version in catalog.aliased()] == ["banking@1", "travel@1"]
    with pytest.raises(SkillRefusedError, match=f"tensors of banking@1 {lost.sha256} are missing"):
        catalog.tensors(lost)
    assert catalog.tensors(sound) == make_draft("travel").tensors


def test_version_of_another_program(
    catalog: Catalog, make_draft: MakeDraft, execute: Execute, caplog: pytest.LogCaptureFixture
) -> None:
    catalog.publish(make_draft("banking"), alias="live")
    sound = catalog.publish(make_draft("travel"), alias="live")
    execute(
        "UPDATE skill_versions SET method = 'telepathy' WHERE skill_id ="
        " (SELECT id FROM skills WHERE name = 'banking')"
    )
    reason = "skill version banking@1 cannot be read by this program"
    assert catalog.versions() == catalog.aliased() == [sound]
    assert [reason in record.getMessage() for record in caplog.records] == [True, True]
    with pytest.raises(SkillRefusedError, match=rf"{reason} .*telepathy.*: upgrade softspoken"):
        catalog.get(SkillRef("banking"))


@pytest.mark.parametrize("part", ["calibration", "provenance"])
def test_parts_of_another_program(
    catalog: Catalog, make_draft: MakeDraft, execute: Execute, part: str
) -> None:
    catalog.publish(make_draft(), alias="live")
    execute(f"UPDATE skill_versions SET {part} = '{{\"unheard\": 1}}'")
    with pytest.raises(SkillRefusedError, match="banking@1 cannot be read"):
        catalog.get(SkillRef("banking"))


def test_blob_in_use_cannot_be_removed(catalog: Catalog, make_draft: MakeDraft) -> None:
    published = catalog.publish(make_draft())
    with pytest.raises(CatalogError), catalog._database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM blobs")
    assert catalog.tensors(published) == make_draft().tensors
