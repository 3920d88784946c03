"""What every catalog does, whatever its database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from skills.errors import InputError, UnknownSkillError
from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind, SkillRef
from storage.catalog import Catalog

MakeDraft: TypeAlias = Callable[..., SkillDraft]
Execute: TypeAlias = Callable[..., Sequence[Any]]

finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(), json_values, max_size=4)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
calibrations = st.builds(
    Calibration,
    temperature=finite,
    scope_weight=finite,
    scope_bias=finite,
    scope_threshold=finite,
    ambiguity_margin=finite,
)
provenances = st.builds(
    Provenance,
    data_sha256=hashes,
    rows=st.integers(0),
    seed=st.integers(),
    config=json_objects,
    code_version=st.text(),
    seconds=finite,
)
drafts = st.sampled_from(SkillKind).flatmap(
    lambda kind: st.builds(
        SkillDraft,
        name=st.just(f"any-{kind.name.lower()}"),  # a name has one kind
        kind=st.just(kind),
        method=st.sampled_from(Method),
        labels=st.lists(st.text(), max_size=4).map(tuple),
        backbone=hashes,
        head=json_objects,
        calibration=calibrations,
        metrics=st.dictionaries(st.text(), finite, max_size=4),
        provenance=provenances,
        tensors=st.binary(max_size=64),
    )
)


class TestPublish:
    @given(draft=drafts)
    @settings(
        max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )  # one catalog for all examples: they may share names
    def test_everything_put_in_comes_back_equal(self, catalog: Catalog, draft: SkillDraft) -> None:
        published = catalog.publish(draft, alias="live")
        stored = catalog.get(SkillRef(draft.name))
        assert stored == published
        for name in {field.name for field in fields(draft)} - {"tensors"}:
            assert getattr(stored, name) == getattr(draft, name), name
        assert catalog.tensors(stored) == draft.tensors
        assert stored.bytes == len(draft.tensors)

    def test_returns_what_is_stored_and_not_the_drafts_own_objects(
        self, catalog: Catalog, make_draft: MakeDraft
    ) -> None:
        published = catalog.publish(make_draft(head={"layers": (1, 2)}), alias="live")
        assert published.head == {"layers": [1, 2]}
        assert published == catalog.get(SkillRef("banking"))

    def test_numbers_count_up_from_one_for_each_skill(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        numbers = [catalog.publish(make_draft(name)).version for name in ("a", "a", "b", "a")]
        assert numbers == [1, 2, 1, 3]

    def test_time_is_utc(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        before = datetime.now(UTC)
        catalog.publish(make_draft())
        (stored,) = catalog.versions()
        assert before <= stored.created_at <= datetime.now(UTC)
        assert stored.created_at.utcoffset() == timedelta(0)

    def test_alias_moves_to_the_new_version(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        catalog.publish(make_draft(), alias="live")
        assert catalog.publish(make_draft(), alias="live").aliases == ("live",)
        assert [(v.version, v.aliases) for v in catalog.versions()] == [(2, ("live",)), (1, ())]

    def test_same_tensors_are_stored_once(
        self, catalog: Catalog, make_draft: MakeDraft, execute: Execute
    ) -> None:
        for name in ("a", "b", "b"):
            catalog.publish(make_draft(name, tensors=b"same"))
        assert execute("SELECT size FROM blobs") == [(4,)]

    @pytest.mark.parametrize(
        ("changes", "alias", "message"),
        [
            ({"kind": SkillKind.SLOTS}, None, "skill 'banking' is of kind 'intent', not 'slots'"),
            ({"name": "Bank ing"}, None, "skill name 'Bank ing' is not valid"),
            ({"metrics": {"ece": float("nan")}}, None, "metrics of skill 'banking' cannot be stored"),
            ({"calibration": Calibration(temperature=float("inf"))}, None, "calibration of skill"),
            ({"head": {"layers": {1, 2}}}, None, "head of skill 'banking' cannot be stored"),
            ({}, "Live!", "alias 'Live!' is not valid"),
            ({}, "12", "alias '12' would be read as a version"),
        ],
    )
    def test_wrong_input_changes_nothing(
        self,
        catalog: Catalog,
        make_draft: MakeDraft,
        changes: dict[str, Any],
        alias: str | None,
        message: str,
    ) -> None:
        catalog.publish(make_draft())
        before = catalog.revision(), catalog.versions()
        with pytest.raises(InputError, match=message):
            catalog.publish(make_draft(**changes), alias=alias)
        assert (catalog.revision(), catalog.versions()) == before


class TestLists:
    def test_empty(self, catalog: Catalog) -> None:
        assert (catalog.versions(), catalog.versions("banking"), catalog.aliased()) == ([], [], [])

    def test_newest_first(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        for name in ("a", "b", "a", "c"):
            catalog.publish(make_draft(name))
        assert [str(version) for version in catalog.versions()] == ["c@1", "a@2", "b@1", "a@1"]
        assert [str(version) for version in catalog.versions("a")] == ["a@2", "a@1"]

    def test_aliased_has_each_named_version_once(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        for alias in (None, "live", "candidate"):
            catalog.publish(make_draft("b"), alias=alias)
        catalog.promote(SkillRef("b", 3), "canary")
        catalog.publish(make_draft("a"), alias="live")
        catalog.publish(make_draft("unnamed"))
        found = [(str(version), version.aliases) for version in catalog.aliased()]
        assert found == [("a@1", ("live",)), ("b@3", ("canary", "candidate")), ("b@2", ("live",))]

    def test_only_tensors_loads_blobs(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        published = catalog.publish(make_draft(), alias="live")
        statements: list[str] = []

        def record(*arguments: Any) -> None:
            statements.append(arguments[2])

        event.listen(Engine, "before_cursor_execute", record)
        try:
            assert catalog.versions() == catalog.aliased() == [catalog.get(SkillRef("banking"))]
            assert not [sql for sql in statements if "blob_chunks.data" in sql]
            catalog.tensors(published)
            assert len([sql for sql in statements if "blob_chunks.data" in sql]) == 1
        finally:
            event.remove(Engine, "before_cursor_execute", record)


class TestGet:
    @pytest.mark.parametrize(
        ("asked", "number"), [("banking", 2), ("banking@live", 2), ("banking@1", 1), ("banking@next", 3)]
    )
    def test_by_version_and_alias(
        self, catalog: Catalog, make_draft: MakeDraft, asked: str, number: int
    ) -> None:
        for alias in (None, "live", "next"):
            catalog.publish(make_draft(), alias=alias)
        assert catalog.get(SkillRef.parse(asked)).version == number

    @pytest.mark.parametrize(
        ("asked", "message"),
        [
            ("bankng", "no skill 'bankng'; there are banking$"),
            ("zzz", "no skill 'zzz'; there are banking, travel$"),
            ("banking@3", "'banking' has no version 3; there are 2, 1$"),
            (f"banking@{10**30}", "has no version 10+; there are 2, 1$"),
            ("banking@live", "'banking' has no alias 'live'; there are candidate; its versions are 2, 1"),
            ("travel", "'travel' has no alias 'live'; it has none; its versions are 1"),
        ],
    )
    def test_unknown_names_what_exists(
        self, catalog: Catalog, make_draft: MakeDraft, asked: str, message: str
    ) -> None:
        for name in ("banking", "banking", "travel"):
            catalog.publish(make_draft(name))
        catalog.promote(SkillRef("banking", 2), "candidate")
        with pytest.raises(UnknownSkillError, match=message):
            catalog.get(SkillRef.parse(asked))

    def test_many_versions_are_not_all_named(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        for _ in range(12):
            catalog.publish(make_draft())
        with pytest.raises(UnknownSkillError, match=r"there are 12, 11, 10, 9, 8, 7, 6, 5, 4, 3 and 2 more$"):
            catalog.get(SkillRef("banking", 13))

    def test_empty_catalog(self, catalog: Catalog) -> None:
        with pytest.raises(UnknownSkillError, match="the catalog is empty"):
            catalog.get(SkillRef("banking"))


class TestDelete:
    def test_gone_from_every_list(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        catalog.publish(make_draft("banking"), alias="live")
        kept = catalog.publish(make_draft("travel"), alias="live")
        catalog.delete("banking")
        assert catalog.versions() == catalog.aliased() == [kept]
        assert catalog.versions("banking") == []
        with pytest.raises(UnknownSkillError, match=r"'banking' was deleted at .* UTC: restore it"):
            catalog.get(SkillRef("banking", 1))
        with pytest.raises(UnknownSkillError, match=r"no skill 'bankin'; there are travel$"):
            catalog.get(SkillRef("bankin"))

    @pytest.mark.parametrize("name", ["banking", "unknown"])
    def test_only_once_and_only_what_exists(self, catalog: Catalog, make_draft: MakeDraft, name: str) -> None:
        catalog.publish(make_draft("banking"))
        catalog.delete("banking")
        with pytest.raises(UnknownSkillError):
            catalog.delete(name)

    def test_publishing_revives_without_aliases_or_used_numbers(
        self, catalog: Catalog, make_draft: MakeDraft
    ) -> None:
        for _ in range(2):
            catalog.publish(make_draft(), alias="live")
        catalog.delete("banking")
        assert catalog.publish(make_draft()).version == 3
        assert [(v.version, v.aliases) for v in catalog.versions()] == [(3, ()), (2, ()), (1, ())]

    def test_a_deleted_name_keeps_its_kind(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        catalog.publish(make_draft())
        catalog.delete("banking")
        with pytest.raises(InputError, match="is of kind 'intent'"):
            catalog.publish(make_draft(kind=SkillKind.GRAMMAR))
        assert catalog.versions() == []


class TestRevision:
    def test_every_write_raises_it_by_one(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        writes: list[Callable[[], object]] = [
            lambda: catalog.publish(make_draft()),
            lambda: catalog.publish(make_draft(), alias="live"),
            lambda: catalog.promote(SkillRef("banking", 1)),
            lambda: catalog.rollback("banking"),
            lambda: catalog.delete("banking"),
        ]
        revisions = [catalog.revision()]
        for write in writes:
            write()
            revisions.append(catalog.revision())
        assert revisions == [0, 1, 2, 3, 4, 5]

    def test_reads_and_failed_writes_do_not(self, catalog: Catalog, make_draft: MakeDraft) -> None:
        catalog.tensors(catalog.publish(make_draft(), alias="live"))
        failing: list[Callable[[], object]] = [
            lambda: catalog.promote(SkillRef("banking", 9)),
            lambda: catalog.rollback("banking"),
            lambda: catalog.delete("travel"),
        ]
        for write in failing:
            with pytest.raises(InputError):
                write()
        assert catalog.revision() == 1

    def test_others_see_it(self, catalog: Catalog, url: str, make_draft: MakeDraft) -> None:
        other = Catalog.open(url)
        try:
            assert other.revision() == 0
            published = catalog.publish(make_draft(), alias="live")
            assert other.revision() == 1
            assert other.aliased() == [published]
        finally:
            other.close()
