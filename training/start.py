"""The packaged prompts that new skills start from; a card lies beside each."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from nlu.backbone import Backbone
from nlu.encoder import Encoder
from nlu.prompt import Prompt
from training.config import LoopConfig, Start
from training.correction_model import TrainedVectors

_ASSETS = Path(__file__).parent / "assets"
DIALOG_PROMPT = _ASSETS / "dialog_prompt.safetensors"
GRAMMAR_PROMPT = _ASSETS / "grammar_prompt.safetensors"


def tuned_encoder(backbone: Backbone, config: LoopConfig, parent: Prompt | None) -> Encoder:
    """Return the encoder to tune a deep prompt on: that of the prompt to grow from, or as configured."""
    wanted = config.adapter and backbone.adapter is not None
    return backbone.encoder(adapted=wanted if parent is None else parent.adapted)


def starts_quiet(config: LoopConfig, encoder: Encoder) -> bool:
    """Whether a prompt that nothing else is put into is almost nothing before training."""
    return config.start is Start.QUIET or (config.start is Start.DIALOG and encoder.adapted)


def dialog_start(
    backbone: Backbone, prompt_length: int, *, adapted: bool, path: Path = DIALOG_PROMPT
) -> Prompt | None:
    """Return the prompt tuned on public dialog, or None where it was made for another backbone or length."""
    with safe_open(path, framework="numpy") as tensors:
        deep = tensors.get_tensor("prompt.deep").astype(np.float32)
        made_on = tensors.metadata()["backbone"]
    prompt = Prompt(deep=deep, adapted=adapted)
    fits = made_on == backbone.fingerprint_for(prompt) and prompt.length == prompt_length
    return prompt if fits else None


def save_start(prompt: Prompt, backbone: Backbone, path: Path = DIALOG_PROMPT) -> None:
    """Write a skill's deep prompt as the one that others start from."""
    if prompt.deep is None:
        raise ValueError("only a deep prompt can be a start")
    save_file(
        {"prompt.deep": prompt.deep.astype(np.float16)},
        path,
        metadata={"backbone": backbone.fingerprint_for(prompt)},
    )


def grammar_start(
    backbone: Backbone, prompt_length: int, *, path: Path = GRAMMAR_PROMPT
) -> TrainedVectors | None:
    """Return what was tuned to correct general English; None where it is for another backbone or length."""
    with safe_open(path, framework="numpy") as tensors:
        if tensors.metadata()["backbone"] != backbone.fingerprint:
            return None
        vectors = TrainedVectors(
            **{each.name: tensors.get_tensor(each.name).astype(np.float32) for each in fields(TrainedVectors)}
        )
    return vectors if vectors.decoder_prompt.length == prompt_length else None


def save_grammar_start(vectors: TrainedVectors, backbone: Backbone, path: Path = GRAMMAR_PROMPT) -> None:
    """Write a grammar skill's vectors as those that others start from."""
    tensors = {name: values.astype(np.float16) for name, values in vars(vectors).items()}
    save_file(tensors, path, metadata={"backbone": backbone.fingerprint})
