from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nlu.backbone import Backbone
from skills.skill import SkillDraft, SkillKind, SkillRef
from storage.catalog import Catalog
from training.cli.program import program


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """A catalog that the commands use without being told to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", "sqlite:///here.db")
    catalog = Catalog.open("sqlite:///here.db")
    yield catalog
    catalog.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["skills", *arguments], prog_name="softspoken")


@pytest.mark.parametrize("kind", SkillKind)
def test_a_version_goes_to_another_catalog_as_it_is(
    catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft], kind: SkillKind
) -> None:
    draft = make_draft(backbone, "colours", kind)
    catalog.publish(make_draft(backbone, "colours", kind, seed=1))
    catalog.publish(draft, alias="live")

    assert run("export", "colours", "c.skill").stdout == "colours@2 was written to c.skill\n"
    arguments = ["import", "c.skill", "--promote", "--json", "--catalog", "sqlite:///there.db"]
    result = run(*arguments)

    assert result.exit_code == 0, result.stderr
    found: Any = json.loads(result.stdout)
    assert (found["name"], found["version"], found["aliases"]) == ("colours", 1, ["live"])
    there = Catalog.open("sqlite:///there.db")
    version = there.get(SkillRef("colours"))
    assert SkillDraft.of(version, there.tensors(version)) == draft
    there.close()


def test_an_imported_version_has_the_name_that_is_asked_for_and_is_not_live(
    catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    catalog.publish(make_draft(backbone, "colours"))
    run("export", "colours@1", "c.skill")
    for number in (1, 2):
        result = run("import", "c.skill", "--name", "paints")
        told = f"colours@1 was imported from c.skill as paints@{number} (not live; softspoken skills promote"
        assert result.stdout.startswith(told), result.stderr
    assert [each.aliases for each in catalog.versions("paints")] == [(), ()]


def test_a_file_is_replaced_only_by_force(
    catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    catalog.publish(make_draft(backbone, "colours"))
    Path("c.skill").write_text("mine")
    result = run("export", "colours@1", "c.skill")
    assert (result.exit_code, Path("c.skill").read_text()) == (2, "mine")
    assert "is there already" in result.stderr
    assert run("export", "colours@1", "c.skill", "--force").exit_code == 0
    assert run("import", "c.skill").exit_code == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "0" * 64}, "colours@1 was trained on backbone 000000000000"),
        ({"labels": ("red", "green")}, "colours@1 cannot be served: head.prototypes has shape"),
        ({"head": {}}, "colours@1 lacks 'lexical_weight'"),
        ({"tensors": b"no tensors"}, "colours@1 cannot be served"),
    ],
)
def test_what_this_backbone_cannot_serve_is_not_stored(
    catalog: Catalog,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
    changes: dict[str, Any],
    message: str,
) -> None:
    catalog.publish(replace(make_draft(backbone, "colours"), **changes))
    run("export", "colours@1", "c.skill")
    revision = catalog.revision()

    result = run("import", "c.skill", "--promote")

    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert catalog.revision() == revision


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["export", "colours@7", "new.skill"], 2, "has no version 7"),
        (["export", "colours@1", "nowhere/new.skill"], 2, "nowhere/new.skill cannot be written"),
        (["import", "nothing.skill"], 2, "nothing.skill cannot be read"),
        (["import", "text.skill"], 1, "text.skill is no skill file"),
        (["import", "c.skill", "--name", "No Name"], 2, "skill name 'No Name' is not valid"),
        (["import", "c.skill", "--name", "errors"], 2, "'errors' is of kind 'grammar', not 'intent'"),
    ],
)
def test_bad_files_and_names_are_refused(
    catalog: Catalog,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    catalog.publish(make_draft(backbone, "colours"))
    catalog.publish(make_draft(backbone, "errors", SkillKind.GRAMMAR))
    run("export", "colours@1", "c.skill")
    Path("text.skill").write_text("not a skill at all, but long enough to be taken for one")

    result = run(*arguments)

    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not Path("new.skill").exists()
