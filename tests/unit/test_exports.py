from __future__ import annotations

from pathlib import Path

import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import choice, exports, make_decoder
from nlu.engine.exports import exported
from skills.errors import BackboneError


def make(directory: Path) -> None:
    (directory / "graph.xml").write_text("<net/>")


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (choice, exports):
        monkeypatch.setattr(module, "find_spec", lambda name: None if name == "torch" else name)


@pytest.mark.usefixtures("no_torch")
def test_what_is_exported_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    assert exported(tmp_path / "there", make) == tmp_path / "there"


@pytest.mark.usefixtures("no_torch")
def test_without_torch_the_error_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"missing.*'softspoken backbone export' .* --cache-dir"):
        exported(tmp_path / "missing", make)
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_once(tmp_path: Path) -> None:
    assert (exported(tmp_path / "new", make) / "graph.xml").exists()
    assert exported(tmp_path / "new", lambda directory: pytest.fail("made again")).is_dir()


@pytest.mark.usefixtures("no_torch")
def test_corrections_in_float32_need_torch(backbone: Backbone) -> None:
    with pytest.raises(BackboneError, match=r"float32 need torch.*--precision int8"):
        make_decoder(backbone, Compute("cpu", Precision.FLOAT32, 1))
