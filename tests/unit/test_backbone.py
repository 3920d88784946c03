from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration

from nlu.backbone import Backbone
from skills.errors import BackboneError

COMMIT = "a" * 40
SIZES: dict[str, Any] = {
    "vocab_size": 100,
    "d_model": 16,
    "d_kv": 4,
    "d_ff": 24,
    "num_layers": 3,
    "num_heads": 2,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
}


@pytest.fixture
def tiny(tmp_path: Path, backbone: Backbone) -> Path:
    """A tiny T5 v1.1 as `save_pretrained` writes it, weights in one file."""
    return save_tiny(tmp_path / "tiny", backbone)


def save_tiny(directory: Path, backbone: Backbone, *, shard: str = "1GB") -> Path:
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5Config(feed_forward_proj="gated-gelu", **SIZES))
    model.save_pretrained(directory, max_shard_size=shard)
    shutil.copy(backbone.directory / "tokenizer.json", directory)
    return directory


def edit_config(directory: Path, **changes: object) -> None:
    config = json.loads((directory / "config.json").read_text())
    config |= changes
    kept = {key: value for key, value in config.items() if value is not None}
    (directory / "config.json").write_text(json.dumps(kept))


def test_a_directory_with_the_embedded_files_has_the_same_fingerprint(
    tmp_path: Path, backbone: Backbone
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in backbone.directory.iterdir():
        (copy / file.name).symlink_to(file)
    loaded = Backbone.load(str(copy))
    assert loaded.fingerprint == backbone.fingerprint
    assert loaded.name == str(copy)
    assert loaded.shape == backbone.shape


def test_the_fingerprint_is_a_sha256(backbone: Backbone) -> None:
    assert len(bytes.fromhex(backbone.fingerprint)) == 32


def test_loads_what_transformers_saves(tiny: Path) -> None:
    loaded = Backbone.load(str(tiny))
    reference = T5EncoderModel.from_pretrained(tiny)
    ids = torch.randint(3, 100, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = reference(input_ids=ids).last_hidden_state
        found = loaded.encoder()(ids, torch.ones_like(ids, dtype=torch.bool))
        peft_base = loaded.encoder_transformer()(input_ids=ids).last_hidden_state
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(peft_base, expected, atol=1e-5, rtol=0)


def test_an_odd_number_of_layers_is_split(tiny: Path) -> None:
    shape = Backbone.load(str(tiny)).shape
    assert (shape.fork, shape.prompted_layers) == (1, 2)


def test_shards_have_the_fingerprint_of_the_whole(tmp_path: Path, tiny: Path, backbone: Backbone) -> None:
    sharded = save_tiny(tmp_path / "sharded", backbone, shard="20KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert Backbone.load(str(sharded)).fingerprint == Backbone.load(str(tiny)).fingerprint


def test_other_weights_have_another_fingerprint(tiny: Path, backbone: Backbone) -> None:
    before = Backbone.load(str(tiny)).fingerprint
    model = T5ForConditionalGeneration.from_pretrained(tiny)
    with torch.no_grad():
        model.encoder.final_layer_norm.weight[3] += 1e-3
    model.save_pretrained(tiny)
    assert Backbone.load(str(tiny)).fingerprint != before != backbone.fingerprint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "'bert' model.*needs T5 v1.1"),
        ({"feed_forward_proj": "relu"}, "'relu'.*needs T5 v1.1"),
        ({"d_kv": None}, "config.json lacks 'd_kv'"),
    ],
)
def test_refuses_other_models(tiny: Path, changes: dict[str, object], message: str) -> None:
    edit_config(tiny, **changes)
    with pytest.raises(BackboneError, match=message):
        Backbone.load(str(tiny))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", None, "config.json cannot be read.*--backbone"),
        ("config.json", b"{", "config.json cannot be read"),
        ("config.json", b"[1]", "config.json cannot be read"),
        ("tokenizer.json", None, "tokenizer.json is missing.*save_pretrained"),
        ("tokenizer.json", b"{}", "tokenizer.json cannot be read.*fetch the model again"),
        ("model.safetensors", None, r"holds no \*.safetensors; pickled weights are not read"),
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{nothing", "model.safetensors cannot be read"),
        ("model.safetensors", b"", "model.safetensors cannot be read"),
    ],
)
def test_refuses_a_damaged_directory(tiny: Path, file: str, content: bytes | None, message: str) -> None:
    (tiny / file).unlink()
    if content is not None:
        (tiny / file).write_bytes(content)
    with pytest.raises(BackboneError, match=message):
        Backbone.load(str(tiny))


def test_refuses_truncated_weights(tiny: Path) -> None:
    weights = tiny / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BackboneError, match=r"model\.safetensors cannot be read"):
        Backbone.load(str(tiny))


@pytest.mark.parametrize("changes", [{"num_layers": 4}, {"d_ff": 32}])
def test_refuses_weights_that_are_not_those_of_the_config(tiny: Path, changes: dict[str, object]) -> None:
    edit_config(tiny, **changes)
    with pytest.raises(BackboneError, match=r"do not fit its config\.json"):
        Backbone.load(str(tiny)).encoder()


@pytest.mark.parametrize(
    "name", ["google/flan-t5-small", "flan-t5-small@" + COMMIT, "no/such/directory", "x"]
)
def test_refuses_names_that_are_nothing(name: str) -> None:
    with pytest.raises(BackboneError, match=f"'{name}' is neither 'embedded'.*revision pinned"):
        Backbone.load(name)


@pytest.fixture
def hub_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the hub's files, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_hub_out_of_reach_tells_what_was_tried_and_what_to_do(hub_cache: Path) -> None:
    with pytest.raises(BackboneError) as caught:
        Backbone.load(f"google/flan-t5-base@{COMMIT}")
    message = str(caught.value)
    for part in (
        f"cannot fetch google/flan-t5-base at revision {COMMIT} from the Hugging Face hub",
        f"hf download google/flan-t5-base --revision {COMMIT} --local-dir DIR",
        "--backbone embedded",
    ):
        assert part in message


def test_an_impossible_hub_id_is_refused(hub_cache: Path) -> None:
    with pytest.raises(BackboneError, match="cannot fetch a b/c"):
        Backbone.load(f"a b/c@{COMMIT}")


def test_a_revision_in_the_hub_cache_needs_no_network(hub_cache: Path, tiny: Path) -> None:
    snapshot = hub_cache / "models--google--tiny" / "snapshots" / COMMIT
    shutil.copytree(tiny, snapshot)
    loaded = Backbone.load(f"google/tiny@{COMMIT}")
    assert loaded.directory == snapshot
    assert loaded.fingerprint == Backbone.load(str(tiny)).fingerprint
