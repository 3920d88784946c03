from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nlu.backbone import Backbone
from skills.skill import SkillDraft, SkillRef
from storage.catalog import Catalog
from training.cli.program import program


@pytest.fixture
def catalog(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
) -> Iterator[Catalog]:
    """A catalog that the commands use without being told to, with the skill colours."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", "sqlite:///here.db")
    catalog = Catalog.open("sqlite:///here.db")
    catalog.publish(make_draft(backbone, "colours"), alias="live")
    yield catalog
    catalog.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["skills", "relabel", "colours", *arguments], prog_name="softspoken")


def test_the_next_version_has_the_new_labels_and_is_live(catalog: Catalog) -> None:
    result = run("--rename", "red=crimson", "--remove", "blue")
    assert result.stdout == "colours@2 was made from colours@1 with 2 labels (live)\n", result.stderr
    version = catalog.get(SkillRef("colours"))
    assert (version.version, version.labels, version.metrics) == (2, ("crimson", "green"), {})
    assert version.provenance.config["relabeled_from"] == "colours@1"
    answer = CliRunner().invoke(program, ["parse", "a car", "--json"], prog_name="softspoken")
    [result_of_skill] = json.loads(answer.stdout)[0]["results"]
    assert {each["name"] for each in result_of_skill["ranking"]} == {"crimson", "green"}


def test_any_version_can_be_the_start(catalog: Catalog) -> None:
    run("--rename", "red=crimson", "--no-promote")
    result = run("--from", "2", "--rename", "green=lime", "--no-promote", "--json")
    found: Any = json.loads(result.stdout)
    assert (found["labels"], found["aliases"]) == (["crimson", "lime", "blue"], [])
    assert found["provenance"]["config"]["relabeled_from"] == "colours@2"
    assert {each.sha256 for each in catalog.versions("colours")} == {found["sha256"]}  # the same tensors
    assert catalog.get(SkillRef("colours")).version == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "add --rename OLD=NEW or --remove LABEL"),
        (["--rename", "red"], "--rename 'red' is not OLD=NEW"),
        (["--rename", "red="], "--rename 'red=' is not OLD=NEW"),
        (["--rename", "red=a", "--rename", "red=b"], "'red' is renamed twice"),
        (["--remove", "bluee"], "no label 'bluee'; did you mean 'blue'"),
        (["--from", "9", "--remove", "blue"], "has no version 9"),
    ],
)
def test_wrong_input_stores_nothing(catalog: Catalog, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(catalog.versions("colours")) == 1
