"""Blobs come back whole, in parts that are small; damage is seen, and mended by storing again."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import Engine, event

from skills.errors import SkillRefusedError
from skills.skill import SkillDraft
from storage.blobs import CHUNK
from storage.catalog import Catalog
from tests.contract.job_steps import submit

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]
ROOT = Path(__file__).parents[2]
MEGABYTE = 1_000_000

PUBLISHER = f"""
import os
import resource
import sys
from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind
from storage.catalog import Catalog

def publish(tensors):
    draft = SkillDraft(
        "banking", SkillKind.INTENT, Method.DEEP_PROMPT, ("yes",), "b" * 64, {{}}, Calibration(), {{}},
        Provenance("d" * 64, 1, 0, {{}}, "1.0", 1.0), tensors,
    )
    return catalog.tensors(catalog.publish(draft)) == tensors

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

catalog = Catalog.open(sys.argv[1])
assert publish(b"small")
before = peak()
large = os.urandom(10 * {MEGABYTE})
assert publish(large) and publish(large)
print(peak() - before)
catalog.close()
"""


def some_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - no secret, but the same again


@pytest.mark.parametrize(
    ("size", "chunks"),
    [(0, 1), (1, 1), (CHUNK - 1, 1), (CHUNK, 1), (CHUNK + 1, 2), (3 * CHUNK, 3), (7 * CHUNK // 2, 4)],
)
def test_any_size_comes_back(
    catalog: Catalog, make_draft: MakeDraft, execute: Execute, size: int, chunks: int
) -> None:
    data = some_bytes(size)
    version = catalog.publish(make_draft(tensors=data))
    assert catalog.tensors(version) == data
    assert (version.bytes, execute("SELECT size FROM blobs")) == (size, [(size,)])
    sizes = execute("SELECT length(data) FROM blob_chunks ORDER BY position")
    assert [len(sizes), sum(length for (length,) in sizes)] == [chunks, size]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("UPDATE blob_chunks SET data = :data WHERE position = 2", "are corrupt: their SHA-256 is"),
        ("UPDATE blob_chunks SET data = :short WHERE position = 1", "have .* bytes instead of 3670016"),
        ("DELETE FROM blob_chunks WHERE position = 3", "have 3145728 bytes instead of 3670016"),
        ("UPDATE blob_chunks SET position = 9 WHERE position = 0", "are corrupt"),
        ("UPDATE blobs SET size = 5", "have 3670016 bytes instead of 5"),
    ],
)
def test_damage_is_seen_and_mended(
    catalog: Catalog, make_draft: MakeDraft, execute: Execute, damage: str, message: str
) -> None:
    data = some_bytes(7 * CHUNK // 2)
    catalog.publish(make_draft(tensors=data))
    values = {"data": some_bytes(CHUNK), "short": b"short"}
    execute(damage, **{name: value for name, value in values.items() if f":{name}" in damage})
    (damaged,) = catalog.versions()
    with pytest.raises(SkillRefusedError, match=f"tensors of banking@1 {message}"):
        catalog.tensors(damaged)
    mended = catalog.publish(make_draft(tensors=data))
    assert catalog.tensors(mended) == data
    assert [catalog.tensors(version) for version in catalog.versions()] == [data, data]
    assert execute("SELECT position FROM blob_chunks ORDER BY position") == [(0,), (1,), (2,), (3,)]


def test_ten_megabytes_cost_less_than_a_hundred(catalog: Catalog, url: str) -> None:
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", PUBLISHER, url], cwd=ROOT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) < 100 * MEGABYTE


def test_lists_read_no_blob(catalog: Catalog, make_draft: MakeDraft) -> None:
    catalog.publish(make_draft(), alias="live")
    submit(catalog.jobs)
    lists: list[Callable[[], object]] = [
        catalog.versions,
        catalog.aliased,
        catalog.overview,
        catalog.audit,
        catalog.jobs.list,
        lambda: catalog.jobs.claim("ada"),
    ]
    statements: list[str] = []

    def keep(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", keep)
    try:
        for read in lists:
            assert read()
    finally:
        event.remove(Engine, "before_cursor_execute", keep)
    assert len(statements) > len(lists)
    assert not [statement for statement in statements if "blob_chunks" in statement]
