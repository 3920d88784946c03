from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nlu.backbone import Backbone
from nlu.prompt import Prompt
from skills.skill import Method
from storage.catalog import Catalog
from tests.conftest import draft_of
from training.cli.program import program


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, backbone: Backbone) -> Iterator[str]:
    """A catalog with a deep prompt, and with a soft one whose vectors are those of words."""
    url = f"sqlite:///{tmp_path_factory.mktemp('explain')}/here.db"
    catalog = Catalog.open(url)
    catalog.publish(draft_of(backbone, "deep"), alias="live")
    words = [backbone.tokenizer.encode(word).ids[0] for word in ("red", "blue")]
    soft = backbone.encoder().embedding.weight.numpy()[words]
    draft = draft_of(backbone, "soft", prompt=Prompt(soft=soft))
    catalog.publish(replace(draft, method=Method.SOFT_PROMPT), alias="live")
    catalog.close()
    yield url


def run(url: str, *arguments: str) -> Result:
    command = ["skills", "explain", *arguments, "--catalog", url]
    return CliRunner().invoke(program, command, prog_name="softspoken")


def test_a_soft_prompt_is_told_in_words(url: str) -> None:
    found = run(url, "soft")
    first, second = found.stdout.splitlines()[-2:]
    assert "red 1.00" in first and "blue 1.00" in second
    assert "far from every word" in found.stderr
    document = json.loads(run(url, "soft", "--json").stdout)
    assert [vector[0]["token"] for vector in document["vectors"]] == ["▁red", "▁blue"]


def test_a_deep_prompt_is_told_by_layer(url: str, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    said = [{"text": f"text {number}", "intent": "red"} for number in range(4)]
    rows.write_text("".join(f"{json.dumps(row)}\n" for row in said))
    found = run(url, "deep@live", "--data", str(rows), "--texts", "2")
    assert "deep@1, 3 vectors a layer, 2 texts" in found.stdout
    document = json.loads(run(url, "deep", "--data", str(rows), "--json").stdout)
    assert [each["layer"] for each in document["layers"]] == [5, 6, 7, 8]
    assert all(0 < each["attention"] < 1 and each["change"] > 0 for each in document["layers"])
    assert "not why" in document["caveat"]


def test_rows_that_are_not_kept_must_be_given(url: str) -> None:
    found = run(url, "deep")
    assert found.exit_code == 2
    assert "the rows of deep@1 are not kept: give some with --data" in found.stderr
