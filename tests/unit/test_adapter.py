from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from nlu.adapter import DIALOG_ADAPTER, Adapter
from nlu.backbone import Backbone
from nlu.encoder import Encoder
from nlu.prompt import Prompt
from skills.errors import BackboneError

IDS = torch.tensor([[27, 183, 341, 2794, 1]])
MASK = torch.ones_like(IDS, dtype=torch.bool)


@pytest.fixture
def adapter(adapted_backbone: Backbone) -> Adapter:
    assert adapted_backbone.adapter is not None
    return adapted_backbone.adapter


def states(encoder: Encoder) -> tuple[Tensor, Tensor]:
    """Return the states at the fork, and those behind the top layers."""
    with torch.inference_mode():
        trunk = encoder.trunk(encoder.embedding(IDS), MASK)
        return trunk, encoder.top(trunk, MASK)


def test_the_top_layers_change_and_nothing_else(adapted_backbone: Backbone, backbone: Backbone) -> None:
    plain, adapted = adapted_backbone.encoder(), adapted_backbone.encoder(adapted=True)
    assert (plain.adapted, adapted.adapted) == (False, True)
    (trunk, top), (same_trunk, other_top) = states(plain), states(adapted)
    assert torch.equal(trunk, same_trunk)
    assert (top - other_top).abs().max() > 0.01
    assert torch.equal(top, states(backbone.encoder())[1])  # folding wrote into no shared tensor


def test_folding_is_adding_the_product(adapted_backbone: Backbone, adapter: Adapter) -> None:
    name = "layers.5.down"
    plain, adapted = (
        adapted_backbone.encoder(adapted=each).get_parameter(f"{name}.weight") for each in (False, True)
    )
    change = adapter.factors[f"{name}.b"].float() @ adapter.factors[f"{name}.a"].float()
    torch.testing.assert_close(adapted.data, plain.data + change)


def test_backbone_and_adapter_have_one_fingerprint(
    adapted_backbone: Backbone, backbone: Backbone, adapter: Adapter
) -> None:
    assert adapted_backbone.fingerprint == backbone.fingerprint
    prints = {
        backbone.fingerprint,
        backbone.adapted_fingerprint,
        adapted_backbone.adapted_fingerprint,
        Adapter("0" * 64, adapter.factors).fingerprint,
        Adapter(adapter.backbone, {**adapter.factors, "layers.4.down.a": torch.zeros(2, 1024)}).fingerprint,
    }
    assert len(prints) == 5
    found = [adapted_backbone.fingerprint_for(Prompt(adapted=each)) for each in (False, True)]
    assert found == [adapted_backbone.fingerprint, adapter.fingerprint]


def test_what_is_written_is_read(adapter: Adapter, tmp_path: Path) -> None:
    adapter.write(tmp_path / "again.safetensors")
    again = Adapter.read(tmp_path / "again.safetensors")
    assert (again.backbone, again.fingerprint) == (adapter.backbone, adapter.fingerprint)


def test_the_packaged_adapter_is_for_the_embedded_backbone(backbone: Backbone) -> None:
    assert DIALOG_ADAPTER.with_suffix(".md").is_file()
    assert backbone.adapter is not None
    assert backbone.encoder(adapted=True).adapted
    assert backbone.adapter.fingerprint in DIALOG_ADAPTER.with_suffix(".md").read_text()


def test_an_adapter_is_asked_for_by_name(adapter: Adapter, backbone: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    adapter.write(path)
    loaded = Backbone.load(f"embedded+{path}", cache=backbone.cache)
    assert (loaded.fingerprint, loaded.adapted_fingerprint) == (backbone.fingerprint, adapter.fingerprint)


def test_files_that_are_no_adapter_are_refused(backbone: Backbone, tmp_path: Path) -> None:
    def adapter_of(path: Path) -> Adapter | None:
        return Backbone.load(f"embedded+{path}", cache=backbone.cache).adapter

    path = tmp_path / "mine.safetensors"
    with pytest.raises(
        BackboneError, match=r"mine\.safetensors cannot be read as an adapter.*backbone adapt"
    ):
        adapter_of(path)
    save_file({"layers.4.qkv.a": torch.zeros(2, 2)}, path)
    with pytest.raises(BackboneError, match="cannot be read as an adapter"):
        adapter_of(path)
    Adapter("0" * 64, {}).write(path)
    with pytest.raises(BackboneError, match=r"was made for backbone 000000000000, but .* is loaded"):
        adapter_of(path)


def test_factors_that_do_not_fit_are_refused(backbone: Backbone, adapter: Adapter) -> None:
    factors = dict(adapter.factors)
    for change, message in (
        ({"layers.4.qkv.a": torch.zeros(2, 3)}, "does not fit its backbone"),
        ({"layers.0.qkv.a": torch.zeros(2, 512)}, "has 33 factors, not 32"),
    ):
        with pytest.raises(BackboneError, match=message):
            Adapter(backbone.fingerprint, factors | change).fold_into(backbone.encoder())


def test_a_backbone_without_an_adapter_says_so(
    adapted_backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(vars(adapted_backbone), "adapter", None)
    assert adapted_backbone.adapted_fingerprint is None
    with pytest.raises(BackboneError, match="has no adapter: make one with"):
        adapted_backbone.encoder(adapted=True)
