"""The packaged prompt that a new deep prompt starts from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from nlu.backbone import Backbone
from nlu.prompt import Prompt

DIALOG_PROMPT = Path(__file__).parent / "assets" / "dialog_prompt.safetensors"  # its card: dialog_prompt.md


def dialog_start(backbone: Backbone, prompt_length: int, *, path: Path = DIALOG_PROMPT) -> Prompt | None:
    """Return the prompt tuned on public dialog, or None where it was made for another backbone or length."""
    with safe_open(path, framework="numpy") as tensors:
        if tensors.metadata()["backbone"] != backbone.fingerprint:
            return None
        deep = tensors.get_tensor("prompt.deep").astype(np.float32)
    return Prompt(deep=deep) if deep.shape[2] == prompt_length else None


def save_start(prompt: Prompt, backbone: Backbone, path: Path = DIALOG_PROMPT) -> None:
    """Write a skill's deep prompt as the one that others start from."""
    if prompt.deep is None:
        raise ValueError("only a deep prompt can be a start")
    save_file(
        {"prompt.deep": prompt.deep.astype(np.float16)}, path, metadata={"backbone": backbone.fingerprint}
    )
