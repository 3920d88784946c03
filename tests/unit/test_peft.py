"""Soft prompts on their way to PEFT and back; the checkpoints of others are not trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from nlu.backbone import Backbone
from nlu.head import IntentHead
from nlu.loaded import LoadedSkill
from nlu.prompt import Prompt
from skills.errors import InputError
from skills.skill import Calibration
from training.peft import CONFIG, EMBEDDINGS, WEIGHTS, export_peft, import_peft

MakePrompt = Callable[..., Prompt]


def skill_with(prompt: Prompt, backbone: Backbone) -> LoadedSkill:
    prototypes = np.eye(2, backbone.shape.d_model, dtype=np.float32)
    head = IntentHead(("a", "b"), prototypes, 16.0, None, 0.0, Calibration())
    version: Any = SimpleNamespace(method="some-method")  # all that an export looks at
    return LoadedSkill(version, prompt, head)


@pytest.fixture
def checkpoint(backbone: Backbone, tmp_path: Path) -> Path:
    prompt = Prompt(soft=np.random.default_rng(5).normal(size=(4, 512)).astype(np.float32))
    export_peft(skill_with(prompt, backbone), backbone, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_a_prompt_comes_back_as_it_went(backbone: Backbone, checkpoint: Path) -> None:
    soft = import_peft(checkpoint, backbone.shape).soft
    assert soft is not None
    np.testing.assert_array_equal(soft, np.random.default_rng(5).normal(size=(4, 512)).astype(np.float32))


@pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing.:FutureWarning"
)  # PEFT asks transformers for it
def test_peft_itself_reads_the_checkpoint(backbone: Backbone, checkpoint: Path) -> None:
    from peft import PeftModel

    model = PeftModel.from_pretrained(backbone.encoder_transformer(), str(checkpoint))
    embeddings = model.get_prompt_embedding_to_save("default").detach().numpy()
    np.testing.assert_array_equal(embeddings, import_peft(checkpoint, backbone.shape).soft)


def test_the_encoder_s_half_of_a_whole_model_s_prompt_is_taken(backbone: Backbone, checkpoint: Path) -> None:
    encoder = load_file(checkpoint / WEIGHTS)[EMBEDDINGS]
    save_file({EMBEDDINGS: np.concatenate([encoder, encoder + 1])}, checkpoint / WEIGHTS)
    rewrite(checkpoint, task_type="SEQ_2_SEQ_LM")
    np.testing.assert_array_equal(import_peft(checkpoint, backbone.shape).soft, encoder)


def rewrite(checkpoint: Path, **changes: Any) -> None:
    config = json.loads((checkpoint / CONFIG).read_text())
    (checkpoint / CONFIG).write_text(json.dumps({**config, **changes}))


def other_method(checkpoint: Path) -> None:
    rewrite(checkpoint, peft_type="LORA")


def wrong_length(checkpoint: Path) -> None:
    rewrite(checkpoint, num_virtual_tokens=5)


def broken_config(checkpoint: Path) -> None:
    (checkpoint / CONFIG).write_text("[")


def pickled(checkpoint: Path) -> None:
    (checkpoint / WEIGHTS).rename(checkpoint / "adapter_model.bin")


def broken_weights(checkpoint: Path) -> None:
    (checkpoint / WEIGHTS).write_bytes(b"\x80\x04")


def not_finite(checkpoint: Path) -> None:
    save_file({EMBEDDINGS: np.full((4, 512), np.nan, np.float32)}, checkpoint / WEIGHTS)


def too_long(checkpoint: Path) -> None:
    rewrite(checkpoint, num_virtual_tokens=257)
    save_file({EMBEDDINGS: np.zeros((257, 512), np.float32)}, checkpoint / WEIGHTS)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (other_method, "'LORA', not PROMPT_TUNING"),
        (wrong_length, "5 virtual tokens"),
        (broken_config, "cannot be read"),
        (pickled, "pickles are not read"),
        (broken_weights, "no 'prompt_embeddings' that can be read"),
        (not_finite, "not finite"),
        (too_long, "257 vectors, at most 256"),
    ],
)
def test_what_does_not_fit_is_refused(
    backbone: Backbone, checkpoint: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(checkpoint)
    with pytest.raises(InputError, match=message):
        import_peft(checkpoint, backbone.shape)


def test_only_soft_prompts_go_to_an_empty_directory(
    backbone: Backbone, checkpoint: Path, make_prompt: MakePrompt, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="not empty"):
        export_peft(skill_with(make_prompt(soft=4), backbone), backbone, checkpoint)
    with pytest.raises(InputError, match="soft-prompt"):
        export_peft(skill_with(make_prompt(deep=4), backbone), backbone, tmp_path / "new")
