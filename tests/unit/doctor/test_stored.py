from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from nlu.backbone import Backbone
from nlu.server_settings import ServerSettings
from skills.skill import SkillDraft
from storage.catalog import Catalog
from storage.probe import Probe
from storage.schema import SchemaStatus
from training.doctor import stored
from training.doctor.finding import State
from training.doctor.stored import check_backbone, check_catalog

MakeSettings: TypeAlias = Callable[..., ServerSettings]


def test_a_catalog_that_works(make_settings: MakeSettings) -> None:
    settings = make_settings()
    Catalog.open(settings.catalog).close()

    assert [(each.check, each.state) for each in check_catalog(settings)] == [
        ("catalog", State.OK),
        ("clock", State.OK),
    ]


@pytest.mark.parametrize(
    ("file", "state", "said"),
    [
        ("new.db", State.WARNING, "does not exist yet"),
        ("nowhere/new.db", State.PROBLEM, "cannot be written"),
        ("empty.db", State.PROBLEM, "has schema none"),
    ],
)
def test_a_catalog_that_is_not_one_yet(
    make_settings: MakeSettings, tmp_path: Path, file: str, state: State, said: str
) -> None:
    (tmp_path / "empty.db").touch()

    [found] = check_catalog(make_settings(catalog=f"sqlite:///{tmp_path / file}"))

    assert (found.state, said in found.found, bool(found.remedy)) == (state, True, True)
    assert (tmp_path / file).exists() == (file == "empty.db")


@pytest.mark.parametrize(
    ("ahead", "state", "said"),
    [
        (0.4, State.OK, "0.4 s ahead of"),
        (-3.0, State.WARNING, "3.0 s behind"),
        (90.0, State.PROBLEM, "90.0 s ahead of"),
    ],
)
def test_clocks_that_differ(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, ahead: float, state: State, said: str
) -> None:
    monkeypatch.setattr(stored, "probe", lambda url: Probe(SchemaStatus("1", "1"), ahead))

    _, clock = check_catalog(make_settings(catalog="postgresql://nobody@nowhere/nothing"))

    assert (clock.check, clock.state) == ("clock", state)
    assert said in clock.found


@pytest.mark.parametrize("made_on", ["backbone", "adapter", "another backbone"])
def test_skills_are_compared_with_the_backbone(
    make_settings: MakeSettings, backbone: Backbone, make_draft: Callable[..., SkillDraft], made_on: str
) -> None:
    settings = make_settings(cache=backbone.cache)
    draft = make_draft(backbone, "travel")
    catalog = Catalog.open(settings.catalog)
    fingerprints = {"backbone": backbone.fingerprint, "adapter": backbone.adapted_fingerprint or ""}
    catalog.publish(replace(draft, backbone=fingerprints.get(made_on, "f" * 64)), alias="live")
    catalog.close()

    there, skills = check_backbone(settings)

    assert (there.state, backbone.fingerprint[:12] in there.found) == (State.OK, True)
    foreign = made_on not in fingerprints
    assert skills.state is (State.PROBLEM if foreign else State.OK)
    assert ("travel@1" in skills.found) == foreign


@pytest.mark.parametrize("name", ["embedded", "somebody/flan-t5-base@0123abc"])
def test_a_backbone_that_is_not_there_is_not_made(make_settings: MakeSettings, name: str) -> None:
    settings = make_settings(backbone=name)

    [found] = check_backbone(settings)

    assert found.state is State.WARNING
    assert "the first start" in found.remedy
    assert settings.cache is not None and not settings.cache.exists()
