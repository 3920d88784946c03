from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nlu.backbone import Backbone
from nlu.batcher import Batcher
from nlu.corrector import Correction, CorrectionRow
from nlu.half import Floats
from nlu.loaded import LoadedSkill
from nlu.loader import BATCH, Loader, Refused
from nlu.prompt import Row
from skills.errors import SkillRefusedError
from skills.skill import SkillDraft, SkillKind, SkillVersion
from storage.catalog import Catalog

MakeDraft = Callable[..., SkillDraft]


class Encoder:
    """Gives all tokens the same state; fails, or gives infinity, if it sees the prompts of bad versions."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.failing: list[LoadedSkill] = []
        self.infinite: list[LoadedSkill] = []
        self.batches: list[int] = []
        self.prepared: list[bool] = []

    def prepare(self, *, adapted: bool) -> None:
        self.prepared.append(adapted)

    def __call__(self, rows: Sequence[Row]) -> list[Floats]:
        self.batches.append(len(rows))
        if any(self._has(row, self.failing) for row in rows):
            raise RuntimeError("out of range")
        return [np.full((len(row.token_ids), self.width), self._state(row), np.float32) for row in rows]

    def _state(self, row: Row) -> float:
        return np.inf if self._has(row, self.infinite) else 1.0

    def _has(self, row: Row, skills: Sequence[LoadedSkill]) -> bool:
        return any(np.array_equal(row.prompt.arrays()[0], skill.prompt.arrays()[0]) for skill in skills)


@pytest.fixture
def encoder(backbone: Backbone) -> Encoder:
    return Encoder(backbone.shape.d_model)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture
def loader(catalog: Catalog, backbone: Backbone, encoder: Encoder) -> Iterator[Loader]:
    batcher = Batcher(encoder)
    corrector: Batcher[CorrectionRow, Correction] = Batcher(lambda rows: [])
    yield Loader(catalog, backbone, batcher, corrector, encoder.prepare)
    batcher.close()
    corrector.close()


@pytest.fixture
def publish(catalog: Catalog, backbone: Backbone, make_draft: MakeDraft) -> Callable[..., SkillVersion]:
    def make(name: str, kind: SkillKind = SkillKind.INTENT, *, seed: int = 0) -> SkillVersion:
        return catalog.publish(make_draft(backbone, name, kind, seed=seed))

    return make


def test_the_engine_is_prepared_for_what_is_read(
    catalog: Catalog, adapted_backbone: Backbone, encoder: Encoder, make_draft: MakeDraft
) -> None:
    batcher = Batcher(encoder)
    corrector: Batcher[CorrectionRow, Correction] = Batcher(lambda rows: [])
    loader = Loader(catalog, adapted_backbone, batcher, corrector, encoder.prepare)
    plain = make_draft(adapted_backbone, "colours")
    drafts = plain, replace(plain, backbone=adapted_backbone.adapted_fingerprint or "")
    found = [loader.read(catalog.publish(draft)).prompt.adapted for draft in drafts]
    assert found == encoder.prepared == [False, True]
    batcher.close()
    corrector.close()


def test_many_are_checked_in_few_batches(
    loader: Loader, publish: Callable[..., SkillVersion], encoder: Encoder
) -> None:
    version = publish("colours")
    versions = [replace(version, name=f"colours-{number}") for number in range(BATCH + 3)]
    found = list(loader.check_all(versions))
    assert [each.version for each in found] == versions
    assert len(encoder.batches) < BATCH


def test_a_bad_one_is_refused_and_those_of_its_batch_are_not(
    loader: Loader, publish: Callable[..., SkillVersion], encoder: Encoder
) -> None:
    good, failing, infinite = (publish(name, seed=seed) for seed, name in enumerate("abc"))
    encoder.failing.append(loader.read(failing))
    encoder.infinite.append(loader.read(infinite))
    foreign = replace(good, backbone="f" * 64)
    found = list(loader.check_all([good, failing, infinite, foreign]))
    reasons = {each.version.name: each.reason for each in found if isinstance(each, Refused)}
    assert [each.version for each in found if isinstance(each, LoadedSkill)] == [good]
    assert "backbone ffffffffffff" in reasons["a"]
    assert "cannot answer: out of range" in reasons["b"]
    assert "values that are not finite" in reasons["c"]
    with pytest.raises(SkillRefusedError, match="out of range"):
        loader.check(failing)
    assert loader.check(good).version == good


def test_expected_slots_are_tried_as_well(
    loader: Loader, publish: Callable[..., SkillVersion], encoder: Encoder
) -> None:
    loader.check(publish("trips", SkillKind.JOINT))
    assert sum(encoder.batches) == 2
