"""Serving without torch: not imported where it is installed, and not needed where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nlu.backbone import Backbone
from nlu.client import Client, ParseRequest, ParseResult
from nlu.engine.export import export_backbone
from skills.skill import SkillDraft, SkillKind
from storage.catalog import Catalog
from tests.rasa.environment import SERVE, EnvironmentUnavailableError, python_of

MakeDraft = Callable[..., SkillDraft]

ROOT = Path(__file__).parents[2]
SECONDS = 120.0
TEXT = "Ann go to New York with 3 friends"
HEAVY = ("onnx", "peft", "scipy", "sklearn", "torch", "traceforge_title_model", "transformers")

SERVER = f"""
import sys
from training.cli.program import program

program(sys.argv[1:], standalone_mode=False)
print(sorted({set(HEAVY)} & set(sys.modules)), flush=True)
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def skills(url: str, backbone: Backbone, make_draft: MakeDraft) -> None:
    """A skill of every kind, one on the adapter; the graphs are in the cache."""
    export_backbone(backbone)
    catalog = Catalog.open(url)
    for seed, kind in enumerate(SkillKind):
        draft = make_draft(backbone, kind.replace("+", "-"), kind, seed=seed)
        if kind is SkillKind.GRAMMAR:  # decodes every text
            draft = replace(draft, head={"grammar": draft.head["grammar"] | {"threshold": 0.0}})
        if kind is SkillKind.INTENT:
            draft = replace(draft, backbone=backbone.adapted_fingerprint or "")
        catalog.publish(draft, alias="live")
    catalog.close()


@contextmanager
def serving(python: str | Path, url: str, cache: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    options = ["--address", "127.0.0.1:0", "--threads", "1", "--catalog", url, "--cache-dir", str(cache)]
    command = [str(python), "-c", SERVER, "serve", *options, "--precision", "int8", "--queue-seconds", "60"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("serving on "), f"the server ended with exit code {process.wait(SECONDS)}"
            yield said.split()[-1], process
        finally:
            process.terminate()
            process.wait(SECONDS)


def answered(python: str | Path, url: str, cache: Path) -> tuple[Any, list[str]]:
    """Return what a server says of a text, without its timings, and the heavy modules that it imported."""
    with serving(python, url, cache) as (address, process), Client(address, timeout=SECONDS) as client:
        result: ParseResult = client.parse(ParseRequest(TEXT, request_id="same"))
        process.terminate()
        rest, _ = process.communicate(timeout=SECONDS)
    modules: list[str] = json.loads(rest.strip().splitlines()[-1].replace("'", '"'))
    return result.results, modules


@pytest.mark.usefixtures("skills")
def test_a_server_without_torch_gives_the_same_answers(
    url: str, backbone: Backbone, request: pytest.FixtureRequest
) -> None:
    results, modules = answered(sys.executable, url, backbone.cache)
    assert modules == []  # though they are installed
    assert [each.skill.name for each in results] == ["grammar", "intent", "intent-slots", "slots"]
    assert results[0].grammar.corrected_text
    try:
        python = python_of(SERVE)
    except EnvironmentUnavailableError as error:
        terminal: Any = request.config.pluginmanager.get_plugin("terminalreporter")
        terminal.write_line(f"\nNOT TESTED WITHOUT TORCH: {error}", red=True, bold=True)
        pytest.skip(str(error))
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    assert not {"torch", "transformers", "onnx"} & {line.partition("==")[0] for line in listed.stdout.split()}
    assert answered(python, url, backbone.cache)[0] == results
