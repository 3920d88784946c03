from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind
from storage import schema
from storage.catalog import Catalog
from training import cli
from training.cli.program import program

ROOT = Path(cli.__file__).parents[2]
Publish = Callable[..., int]


def make_draft(name: str, accuracy: float = 0.875) -> SkillDraft:
    return SkillDraft(
        name=name,
        kind=SkillKind.INTENT,
        method=Method.DEEP_PROMPT,
        labels=("check_balance", "freeze_card"),
        backbone="b" * 64,
        head={"scale": 16.0},
        calibration=Calibration(temperature=0.75, scope_weight=1.5, scope_bias=-0.25),
        metrics={"accuracy": accuracy},
        provenance=Provenance("d" * 64, 20, 7, {"epochs": 12}, "1.0", 31.5),
        tensors=f"tensors of {name} {accuracy}".encode(),
    )


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A catalog that the commands use without being told to."""
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", url)
    return url


@pytest.fixture
def publish(url: str) -> Iterator[Publish]:
    catalog = Catalog.open(url)
    yield (
        lambda name="banking", alias=None, **changes: (
            catalog.publish(make_draft(name, **changes), alias=alias).version
        )
    )
    catalog.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments, prog_name="softspoken")


def document(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_an_empty_catalog_says_so(publish: Publish) -> None:
    result = run("skills", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "train one with softspoken train" in result.stderr
    assert document("skills", "list") == []


def test_a_catalog_that_is_not_there_is_not_made(url: str, tmp_path: Path) -> None:
    result = run("skills", "list")

    assert result.exit_code == 1
    assert f"there is no catalog {url}" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_list_shows_one_line_a_skill_by_its_live_version(publish: Publish) -> None:
    publish("travel", accuracy=0.5)
    publish(alias="live")
    publish(accuracy=0.25)

    lines = [line.split() for line in run("skills", "list").stdout.splitlines()]

    assert lines[0][:5] == ["skill", "kind", "live", "versions", "labels"]
    assert lines[1][:7] == ["banking", "intent", "1", "2", "2", "87.5", "%"]
    assert lines[2][:7] == ["travel", "intent", "none", "1", "2", "50.0", "%"]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("kind", "metrics", "labels", "shown", "detail"),
    [
        (SkillKind.SLOTS, {"slot_f1": 0.5}, ("city", "date"), ["2", "50.0", "%", "slot", "F1"], "slots"),
        (SkillKind.JOINT, {"whole_frame": 0.75}, ("book",), ["1", "+", "2", "75.0", "%", "whole"], "labels"),
        (SkillKind.GRAMMAR, {"edit_f05": 0.4}, (), ["-", "40.0", "%", "edit", "F0.5"], "backbone"),
        (SkillKind.GRAMMAR, {}, (), ["-", "-"], "backbone"),
    ],
)
def test_every_kind_is_shown_by_what_it_is_for(
    url: str,
    kind: SkillKind,
    metrics: dict[str, float],
    labels: tuple[str, ...],
    shown: list[str],
    detail: str,
) -> None:
    head = {} if kind is SkillKind.GRAMMAR else {"slots": {"labels": ["city", "date"]}}
    draft = replace(make_draft("trips"), kind=kind, metrics=metrics, labels=labels, head=head)
    catalog = Catalog.open(url)
    catalog.publish(draft, alias="live")
    catalog.close()

    line = run("skills", "list").stdout.splitlines()[1].split()
    details = [line.split()[0] for line in run("skills", "show", "trips").stdout.splitlines()]

    assert line[: 4 + len(shown)] == ["trips", kind, "1", "1", *shown]
    assert detail in details
    assert ("slots" in details) is bool(head)
    assert ("labels" in details) is (kind is SkillKind.JOINT)


def test_list_as_json_has_every_version_newest_first(publish: Publish) -> None:
    publish(alias="live")
    publish(accuracy=0.25, alias="candidate")

    (skill,) = document("skills", "list")

    assert (skill["name"], skill["aliases"]) == ("banking", {"live": 1, "candidate": 2})
    assert [(each["version"], each["metrics"]["accuracy"]) for each in skill["versions"]] == [
        (2, 0.25),
        (1, 0.875),
    ]


def test_show_tells_of_one_version_and_of_the_others(publish: Publish) -> None:
    publish(alias="live")
    publish(accuracy=0.25)

    text = run("skills", "show", "banking@2").stdout

    assert "banking@2" in text
    assert "2: check_balance, freeze_card" in text
    assert "epochs=12" in text
    assert document("skills", "show", "banking")["version"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "bankin"], "no skill 'bankin'; there are banking"),
        (["show", "banking@9"], "has no version 9; there are 1"),
        (["promote", "banking@9"], "has no version 9"),
        (["promote", "banking@1", "--alias", "7"], "would be read as a version"),
        (["rollback", "banking"], "cannot be rolled back"),
        (["delete", "travel", "--yes"], "no skill 'travel'"),
        (["delete", "banking"], "confirm with --yes"),
    ],
)
def test_wrong_input_ends_with_2(publish: Publish, arguments: list[str], message: str) -> None:
    publish(alias="live")

    result = run("skills", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert document("skills", "show", "banking")["aliases"] == ["live"]


def test_promote_and_rollback_move_the_alias(publish: Publish) -> None:
    publish(alias="live")
    publish(accuracy=0.25)

    assert run("skills", "promote", "banking@2").stdout == "banking@2 is live\n"
    assert document("skills", "show", "banking")["version"] == 2
    assert run("skills", "rollback", "banking").stdout == "banking@1 is live again\n"
    assert document("skills", "show", "banking")["version"] == 1


def test_delete_takes_a_skill_out(publish: Publish) -> None:
    publish(alias="live")

    assert run("skills", "delete", "banking", "--yes").exit_code == 0
    assert document("skills", "list") == []


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1)])
def test_delete_asks_on_a_terminal(publish: Publish, url: str, answer: str, left: int) -> None:
    publish(alias="live")
    controller, terminal = pty.openpty()
    os.write(controller, f"{answer}\n".encode())

    ended = subprocess.run(
        [sys.executable, "-m", "training.cli", "skills", "delete", "banking"],
        cwd=ROOT,
        stdin=terminal,
        capture_output=True,
        text=True,
    )
    os.close(terminal)
    os.close(controller)

    assert ended.returncode == 0, ended.stderr
    assert "Delete 'banking' with its 1 versions?" in ended.stderr
    assert len(document("skills", "list")) == left


def test_db_upgrade_makes_a_catalog_and_status_tells_of_it(url: str, tmp_path: Path) -> None:
    before = document("db", "status")
    assert (before["current"], before["is_current"]) == (None, False)
    assert "run softspoken db upgrade" in run("db", "status").stdout
    assert list(tmp_path.iterdir()) == []

    assert run("db", "upgrade").exit_code == 0

    assert document("db", "status")["is_current"] is True
    assert schema.status(url).is_current
    assert run("db", "status").stdout.startswith("up to date")


def test_a_file_that_is_no_catalog_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("not a database, but long enough to be taken for one" * 40)

    result = run("skills", "list")

    assert result.exit_code == 1
    assert "not an SQLite database" in result.stderr
