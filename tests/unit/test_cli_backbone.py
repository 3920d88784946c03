from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from nlu.adapter import Adapter
from nlu.backbone import Backbone
from training.cli.program import program

TEXTS = [
    f"{verb} the {thing} number {n}"
    for verb in ("find", "book")
    for thing in ("car", "room")
    for n in range(50)
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turns.txt").write_text("\n".join(TEXTS[:150]), encoding="utf-8")
    rows = [json.dumps({"text": text, "intent": "x"}) for text in TEXTS[100:]]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def run(backbone: Backbone, *arguments: str) -> Result:
    given = ["--cache-dir", str(backbone.cache), "--threads", "1"]
    return CliRunner().invoke(program, ["backbone", "adapt", *arguments, *given], prog_name="softspoken")


def test_an_adapter_is_made_that_a_backbone_takes(
    backbone: Backbone, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed(texts: list[str], directory: Path, on_batch: object) -> object:
        assert directory == Path("teacher")
        vectors = np.random.default_rng(0).normal(size=(len(texts), 8)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    monkeypatch.setattr("training.teacher.embed", embed)
    files = ("turns.txt", "rows.jsonl", "--out", "mine.safetensors", "--teacher", "teacher")
    result = run(backbone, *files, "--steps", "1", "--rank", "2", "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    adapter = Adapter.read(folder / "mine.safetensors")
    assert document == {
        "out": "mine.safetensors",
        "backbone": backbone.fingerprint,
        "fingerprint": adapter.fingerprint,
        "utterances": 200,
        "bytes": (folder / "mine.safetensors").stat().st_size,
        "seconds": document["seconds"],
    }
    loaded = Backbone.load("embedded+mine.safetensors", cache=backbone.cache)
    assert loaded.adapted_fingerprint == adapter.fingerprint


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("mine.bin", "name it mine.safetensors"),
        ("there.safetensors", "is there already: name another file, or give --force"),
        ("no/mine.safetensors", "no is no folder"),
    ],
)
def test_where_it_cannot_go_is_said_first(backbone: Backbone, folder: Path, out: str, message: str) -> None:
    (folder / "there.safetensors").touch()
    result = run(backbone, "turns.txt", "--out", out)
    assert result.exit_code == 2
    assert message in result.stderr
