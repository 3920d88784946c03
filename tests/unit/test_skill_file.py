from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skills.errors import InputError, SkillRefusedError
from skills.skill import Calibration, SkillDraft, SkillVersion
from storage import skill_file
from storage.skill_file import MANIFEST, TENSORS, read_skill_file, write_skill_file

DATA = b"tensors, as far as a file is concerned" * 10


@pytest.fixture
def version(make_version: Callable[..., SkillVersion]) -> SkillVersion:
    return make_version(
        labels=("card_arrival", "prüfen", "残高"),
        head={
            "scale": 16.0,
            "slots": {"labels": ["city"], "schema": {"city": {"values": {"Oslo": ["OSL"]}}}},
        },
        calibration=Calibration(0.75, 1.5, -0.25, 0.4),
        metrics={"accuracy": 0.875},
        sha256=hashlib.sha256(DATA).hexdigest(),
        bytes=len(DATA),
        aliases=("live",),
    )


@pytest.fixture
def path(tmp_path: Path, version: SkillVersion) -> Path:
    path = tmp_path / "banking.skill"
    write_skill_file(path, version, DATA)
    return path


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path: Path, changed: dict[str, bytes], **options: Any) -> None:
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in changed.items():
            archive.writestr(name, data)


def test_what_is_written_is_read(path: Path, version: SkillVersion) -> None:
    found, tensors = read_skill_file(path)
    assert (found, tensors) == (replace(version, aliases=()), DATA)
    draft = SkillDraft.of(found, tensors)
    assert (draft.name, draft.head, draft.tensors) == (version.name, version.head, DATA)


def test_the_file_is_a_stored_zip_and_the_same_each_time(path: Path, version: SkillVersion) -> None:
    again = path.with_name("again.skill")
    write_skill_file(again, version, DATA)
    assert again.read_bytes() == path.read_bytes()
    assert DATA in path.read_bytes()
    assert list(members(path)) == [MANIFEST, TENSORS]
    assert "aliases" not in json.loads(members(path)[MANIFEST])


def test_a_file_is_replaced_when_the_new_one_is_whole(
    path: Path, version: SkillVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", full)
        with pytest.raises(InputError, match=r"banking.skill cannot be written \(No space left"):
            write_skill_file(path, replace(version, version=9), DATA)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    write_skill_file(path, replace(version, version=9), DATA)
    assert read_skill_file(path)[0].version == 9


def test_a_folder_that_is_not_there_is_named(path: Path, version: SkillVersion) -> None:
    with pytest.raises(InputError, match="nowhere"):
        write_skill_file(path.parent / "nowhere" / "a.skill", version, DATA)
    with pytest.raises(InputError, match=r"nothing.skill cannot be read \(No such file"):
        read_skill_file(path.with_name("nothing.skill"))


def test_what_cannot_be_read_again_is_not_written(path: Path, version: SkillVersion) -> None:
    unreadable = replace(version, labels=("a", "b" * 513))
    with pytest.raises(InputError, match=r"banking@3 cannot be exported: .*labels.1.*512 characters"):
        write_skill_file(path.with_name("other.skill"), unreadable, DATA)
    assert list(path.parent.iterdir()) == [path]


def test_a_version_too_large_for_a_file_is_not_written(
    path: Path, version: SkillVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skill_file, "MAX_TENSORS", len(DATA) - 1)
    with pytest.raises(InputError, match="380 of tensors"):
        write_skill_file(path, version, DATA)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("16.0", "NaN", "not finite"),
        ("0.875", "1e999", "metrics.accuracy: Input should be a finite number"),
        ('"temperature": 0.75', '"temperature": NaN', "calibration.temperature"),
        ('"temperature": 0.75', '"surprise": 0.75', "calibration.surprise"),
        ("16.0", "[" * 20 + "]" * 20, "nested more than 16 deep"),
        ("16.0", "[" * 100_000 + "]" * 100_000, "recursion limit"),
        ('"OSL"', '"\\u0000"', "NUL"),
        ('"OSL"', '"\\ud800"', "Invalid JSON"),
        ('"banking"', '"../banking"', "skill name '../banking' is not valid"),
        ('"card_arrival"', "7", "labels.0: Input should be a valid string"),
        ('"card_arrival"', '""', "labels.0"),
        ('"card_arrival"', '"' + "x" * 513 + '"', "labels.0"),
        ('"format": 1', '"format": 2', "format: Input should be 1"),
        ('"format": 1', '"format": 1, "surprise": 1', "surprise: Extra inputs are not permitted"),
        ('"kind": "intent"', '"kind": "oracle"', "kind"),
        ('"rows": 15', '"rows": "15"', "provenance.rows"),
        ('"version": 3', '"version": 0', "version"),
        (f'"bytes": {len(DATA)}', f'"bytes": {len(DATA) - 1}', "the manifest says 379"),
        (f'"bytes": {len(DATA)}', '"bytes": 268435457', "bytes: Input should be less"),
        (hashlib.sha256(DATA).hexdigest(), "0" * 64, "the manifest says 380 and 000000000000"),
        ("{", "[", "Invalid JSON"),
    ],
)
def test_a_bad_manifest_is_refused(path: Path, old: str, new: str, message: str) -> None:
    found = members(path)
    manifest = found[MANIFEST].decode()
    assert old in manifest
    rewrite(path, {**found, MANIFEST: manifest.replace(old, new, 1).encode()})
    with pytest.raises(SkillRefusedError, match=message) as caught:
        read_skill_file(path)
    assert "banking.skill is no skill file, or is damaged" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tensors_that_were_exchanged_are_refused(path: Path) -> None:
    rewrite(path, {**members(path), TENSORS: DATA[::-1]})
    with pytest.raises(SkillRefusedError, match="SHA-256"):
        read_skill_file(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {name: found[name] for name in (TENSORS, MANIFEST)},
        lambda found: {MANIFEST: found[MANIFEST], "../../etc/passwd": DATA},
        lambda found: {MANIFEST: found[MANIFEST]},
        lambda found: {**found, "more": b""},
        lambda found: {**found, **{f"more{number}": b"" for number in range(50)}},
    ],
)
def test_other_members_are_refused(
    path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]
) -> None:
    rewrite(path, change(members(path)))
    with pytest.raises(SkillRefusedError, match="members"):
        read_skill_file(path)


def test_members_of_one_name_are_refused(path: Path) -> None:
    manifest = members(path)[MANIFEST]
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(MANIFEST, manifest)
        archive.writestr(MANIFEST, manifest)
    with pytest.raises(SkillRefusedError, match="members"):
        read_skill_file(path)


def test_a_bomb_is_not_unpacked(path: Path) -> None:
    found = members(path)
    rewrite(path, {**found, TENSORS: bytes(300 << 20)}, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    with pytest.raises(SkillRefusedError, match="compressed"):
        read_skill_file(path)


def test_a_member_that_claims_to_be_larger_than_it_is_refused(path: Path) -> None:
    data = path.read_bytes()
    size = len(DATA).to_bytes(4, "little")
    path.write_bytes(data.replace(size + size, (1 << 30).to_bytes(4, "little") * 2))
    with pytest.raises(SkillRefusedError, match=r"1,073,741,824 bytes, at most"):
        read_skill_file(path)


@pytest.mark.parametrize("kept", [0, 20, 42, 200, -1])
def test_a_truncated_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SkillRefusedError, match=r"banking.skill is no skill file"):
        read_skill_file(path)


@pytest.mark.parametrize("comment", [b"x", b"PK\x05\x06" + bytes(18)])
def test_a_comment_behind_which_another_directory_could_hide_is_refused(path: Path, comment: bytes) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = comment
    with pytest.raises(SkillRefusedError, match="is no skill file"):
        read_skill_file(path)


def test_a_sparse_file_of_any_size_is_refused_unread(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(SkillRefusedError, match="it has 1,099,511,627,776 bytes"):
        read_skill_file(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(
    path: Path, version: SkillVersion, data: st.DataObject
) -> None:
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    broken = path.with_name("broken.skill")
    broken.write_bytes(whole[:place] + bytes([data.draw(st.integers(0, 255))]) + whole[place + 1 :])
    try:
        found = read_skill_file(broken)
    except SkillRefusedError:
        return
    assert found == (replace(version, aliases=()), DATA)
