"""One skill version as a file: an uncompressed ZIP of `manifest.json` and `tensors.safetensors`.

A file may come from anywhere. Nothing in it is decompressed or unpickled, every size is checked before it is
read, and the tensors must have the SHA-256 of the manifest.
"""

from __future__ import annotations

import hashlib
import math
import struct
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from skills.errors import InputError, SkillRefusedError
from skills.skill import Calibration, Method, Provenance, SkillKind, SkillVersion, check_name

MANIFEST = "manifest.json"
TENSORS = "tensors.safetensors"
FORMAT = 1
MAX_MANIFEST = 16 << 20  # bytes; lists of slots' values are in it
MAX_TENSORS = 256 << 20  # bytes; 1,000 labels of the largest T5 have a tenth
MAX_DEPTH = 16  # of JSON; settings have 6
MAX_LABELS = 10_000
MAX_LABEL = 512  # characters; a slot's label may have a role and a group

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows: the same version gives the same file
_MAX_DIRECTORY = 512  # bytes; two members have 130
_END = struct.Struct("<4s4H2LH")  # the end record of a ZIP: signature, disks, members, size, offset, comment
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"  # 20 bytes before the end record of a ZIP over 4 GB

_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Label = Annotated[str, Field(min_length=1, max_length=MAX_LABEL)]


class _Manifest(BaseModel):
    """All of a `SkillVersion` but its aliases."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    format: Literal[1]
    name: str
    version: Annotated[int, Field(ge=1)]
    kind: SkillKind
    method: Method
    labels: Annotated[tuple[_Label, ...], Field(max_length=MAX_LABELS)]
    backbone: _Hash
    head: dict[str, JsonValue]
    calibration: Calibration
    metrics: dict[str, float]
    provenance: Provenance
    sha256: _Hash
    bytes: Annotated[int, Field(ge=1, le=MAX_TENSORS)]
    created_at: datetime


def write_skill_file(path: Path, version: SkillVersion, tensors: bytes) -> None:
    """Write a version and its tensors; a file at `path` is replaced when the new one is whole, or not at all.

    Raises:
        InputError: the file cannot be written, or the version is too large for one.
    """
    values = {name: getattr(version, name) for name in _Manifest.model_fields if name != "format"}
    try:
        manifest = _Manifest.model_construct(**values, format=FORMAT).model_dump_json(indent=2).encode()
    except ValueError as error:
        raise InputError(f"{version} cannot be exported: {error}", field="skill") from error
    if len(manifest) > MAX_MANIFEST or len(tensors) > MAX_TENSORS:
        raise InputError(
            f"{version} has {len(manifest):,} bytes of settings and {len(tensors):,} of tensors; a file "
            f"holds {MAX_MANIFEST:,} and {MAX_TENSORS:,} at most",
            field="skill",
        )
    try:
        _version(manifest)  # what is written can be read
        _write(path, {MANIFEST: manifest, TENSORS: tensors})
    except ValueError as error:
        raise InputError(f"{version} cannot be exported: {error}", field="skill") from error
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror}): check the path and its permissions", field="file"
        ) from error


def read_skill_file(path: Path) -> tuple[SkillVersion, bytes]:
    """Return the version that a file was made of, and its tensors; whether a backbone can serve it is open.

    Raises:
        InputError: the file cannot be read.
        SkillRefusedError: it is no such file, or was damaged or changed.
    """
    try:
        with path.open("rb") as file:
            _check_end(file)
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members)
                manifest, tensors = (archive.read(member) for member in members)
        version = _version(manifest)
        _check_tensors(version, tensors)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error})", field="file") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise SkillRefusedError(
            f"{path} is no skill file, or is damaged: {reason}; export it again"
        ) from error
    return version, tensors


def _write(path: Path, members: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        part = Path(folder, path.name)
        with zipfile.ZipFile(part, "w") as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name, _DATE), data)
        part.replace(path)


def _check_end(file: IO[bytes]) -> None:
    """Check how large the directory of a ZIP is before `zipfile` reads all of it."""
    size = file.seek(0, 2)
    locator_and_end = 20 + _END.size
    if not locator_and_end < size <= MAX_MANIFEST + MAX_TENSORS + 2 * _MAX_DIRECTORY:
        raise ValueError(f"it has {size:,} bytes")
    file.seek(size - locator_and_end)
    tail = file.read(locator_and_end)
    signature, *_, members, directory, _offset, comment = _END.unpack(tail[20:])
    if signature != _END_SIGNATURE or comment or tail.startswith(_ZIP64_LOCATOR):
        raise ValueError("it does not end as a ZIP of ours does")
    if members != 2 or directory > _MAX_DIRECTORY:
        raise ValueError(f"it has {members} members in a directory of {directory:,} bytes")


def _check_members(members: Sequence[zipfile.ZipInfo]) -> None:
    """Check that there is what should be there, as it is, and of a size that can be read."""
    found = [member.filename for member in members]
    if found != [MANIFEST, TENSORS]:
        raise ValueError(f"its members are {found}, not {MANIFEST} and {TENSORS}")
    for member, most in zip(members, (MAX_MANIFEST, MAX_TENSORS), strict=True):
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise ValueError(f"{member.filename} is compressed")
        if member.file_size > most:
            raise ValueError(f"{member.filename} has {member.file_size:,} bytes, at most {most:,} are read")


def _version(manifest: bytes) -> SkillVersion:
    try:
        found = _Manifest.model_validate_json(manifest)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{MANIFEST}: {place or 'it'}: {first['msg']}") from error
    _check_json(found.model_dump(mode="json"))
    try:
        check_name(found.name)
    except InputError as error:
        raise ValueError(f"{MANIFEST}: {error}") from error
    values = {each.name: getattr(found, each.name) for each in fields(SkillVersion) if each.name != "aliases"}
    return SkillVersion(**values)


def _check_json(value: object, depth: int = 1) -> None:
    """Check what any database can store: no endless nesting, NUL, NaN or infinity."""
    if depth > MAX_DEPTH:
        raise ValueError(f"{MANIFEST} is nested more than {MAX_DEPTH} deep")
    if isinstance(value, str) and "\0" in value:
        raise ValueError(f"{MANIFEST} has a text with the character NUL")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{MANIFEST} has a number that is not finite")
    if isinstance(value, dict):
        for name, each in value.items():
            _check_json(name, depth)
            _check_json(each, depth + 1)
    if isinstance(value, list):
        for each in value:
            _check_json(each, depth + 1)


def _check_tensors(version: SkillVersion, tensors: bytes) -> None:
    found = hashlib.sha256(tensors).hexdigest()
    if (len(tensors), found) != (version.bytes, version.sha256):
        raise ValueError(
            f"{TENSORS} has {len(tensors):,} bytes with the SHA-256 {found[:12]}, the manifest says "
            f"{version.bytes:,} and {version.sha256[:12]}"
        )
