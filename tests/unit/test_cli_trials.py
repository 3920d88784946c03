from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nlu.backbone import Backbone
from skills.skill import SkillDraft, SkillKind, SkillRef
from skills.traffic import Traffic
from storage.catalog import Catalog
from training.cli.program import program


@pytest.fixture
def catalog(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
) -> Iterator[Catalog]:
    """A catalog that the commands use without being told to: two versions of colours, and a slots skill."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", "sqlite:///here.db")
    catalog = Catalog.open("sqlite:///here.db")
    catalog.publish(make_draft(backbone, "colours"), alias="live")
    catalog.publish(make_draft(backbone, "trips", SkillKind.SLOTS), alias="live")
    yield catalog
    catalog.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["skills", *arguments], prog_name="softspoken")


def test_a_trial_begins_is_shown_and_ends(catalog: Catalog) -> None:
    catalog.promote(SkillRef("colours", 1), "candidate")
    begun = run("traffic", "colours", "--canary", "0.1", "--shadow", "1")
    assert begun.stdout == "colours@candidate: canary 0.1, shadow 1\n", begun.stderr
    assert catalog.trials.all() == {"colours": Traffic(0.1, 1.0)}
    shown = json.loads(run("traffic", "colours", "--json").stdout)
    assert shown == {"skill": "colours", "canary": 0.1, "shadow": 1.0}
    assert run("traffic", "colours", "--off").stdout == "colours is not on trial\n"
    assert catalog.trials.all() == {}


def test_corrections_are_made_listed_and_forgotten(catalog: Catalog) -> None:
    assert run("correct", "colours", "like the sky", "--intent", "blue").exit_code == 0
    assert run("correct", "colours", "like grass", "--intent", "red").exit_code == 0
    assert run("correct", "colours", "like grass", "--intent", "green").exit_code == 0
    listed = json.loads(run("corrections", "colours", "--json").stdout)
    assert [(each["text"], each["intent"]) for each in listed] == [
        ("like the sky", "blue"),
        ("like grass", "green"),
    ]
    assert "like the sky  blue" in run("corrections", "colours").stdout
    assert run("corrections", "colours", "--forget", "like grass").stdout == "1 forgotten\n"
    assert [each.text for each in catalog.exemplars.all()["colours"]] == ["like the sky"]
    assert run("corrections", "colours", "--forget-all").stdout == "1 forgotten\n"
    assert "no corrections" in run("corrections", "colours").stderr


def test_an_intent_that_is_not_served_yet_is_warned_of(
    catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    renamed = make_draft(backbone, "colours").__dict__ | {"labels": ("red", "green", "violet")}
    catalog.publish(SkillDraft(**renamed))
    result = run("correct", "colours", "like a plum", "--intent", "violet")
    assert result.exit_code == 0
    assert "violet is an intent of colours@2, which no alias names" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("traffic", "colours", "--canary", "0.5"), "no alias 'candidate'"),
        (("traffic", "nothing", "--canary", "0.5"), "no skill 'nothing'"),
        (("traffic", "colours", "--canary", "1.5"), "1.5 is not in the range"),
        (("traffic", "colours", "--off", "--shadow", "1"), "leave --canary and --shadow out"),
        (("correct", "colours", "x", "--intent", "purple"), "no version of 'colours' has an intent 'purple'"),
        (("correct", "trips", "x", "--intent", "person"), "no version of 'trips' has an intent 'person'"),
        (("correct", "nothing", "x", "--intent", "red"), "no skill 'nothing'"),
        (("correct", "colours", " ", "--intent", "red"), "has 1 to 2,000 characters"),
        (("corrections", "nothing"), "no skill 'nothing'"),
        (("corrections", "colours", "--forget", "x", "--forget-all"), "give one of them"),
    ],
)
def test_wrong_input_says_what_to_do(catalog: Catalog, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in result.stderr
