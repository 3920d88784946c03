"""Soft prompts to and from PEFT checkpoint directories (`adapter_config.json` and weights)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from nlu.backbone import Backbone
from nlu.loaded import LoadedSkill
from nlu.prompt import Prompt
from nlu.shape import EncoderShape
from skills.errors import InputError
from training.models import SoftPrompted

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
EMBEDDINGS = "prompt_embeddings"
MAX_BYTES = 64 << 20  # 256 vectors for the largest T5 have 4 MB; files from elsewhere are untrusted


def export_peft(skill: LoadedSkill, backbone: Backbone, directory: Path) -> None:
    """Write a soft-prompt skill's prompt as a PEFT checkpoint that `PeftModel.from_pretrained` reads.

    PEFT knows no prototypes: whoever imports the checkpoint builds a head from labeled rows again.

    Raises:
        InputError: the skill has no soft prompt, or the directory is not empty.
    """
    if skill.prompt.soft is None:
        raise InputError(
            f"{skill.version} was tuned as {skill.version.method}; PEFT has no such method, "
            "train it with --method soft-prompt to export it",
            field="method",
        )
    if directory.exists() and any(directory.iterdir()):
        raise InputError(f"{directory} is not empty; name a new directory", field="directory")
    model = SoftPrompted(backbone, [], prompt_length=skill.prompt.length)
    model.reset(skill.prompt)
    model.save(directory)


def import_peft(directory: Path, shape: EncoderShape) -> Prompt:
    """Read the encoder's part of a PEFT prompt-tuning checkpoint.

    A checkpoint of a whole T5 (task type SEQ_2_SEQ_LM) holds as many vectors for the decoder after those for
    the encoder; the encoder's are taken.

    Raises:
        InputError: a file is missing, too large or unreadable, it is not prompt tuning, or it does not fit
            the backbone.
    """
    config = _read_config(directory / CONFIG)
    if config.get("peft_type") != "PROMPT_TUNING":
        raise InputError(
            f"{directory / CONFIG}: peft_type is {config.get('peft_type')!r}, not PROMPT_TUNING",
            field="peft_type",
        )
    path = directory / WEIGHTS
    if not path.is_file():
        raise InputError(f"{path} is missing; pickles are not read, save it with safe_serialization=True")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} has {path.stat().st_size} bytes, at most {MAX_BYTES} are read")
    try:
        embeddings = load_file(path)[EMBEDDINGS].astype(np.float32)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} holds no {EMBEDDINGS!r} that can be read: {error}") from error
    length = config.get("num_virtual_tokens")
    parts = 2 if config.get("task_type") == "SEQ_2_SEQ_LM" else 1
    if not isinstance(length, int) or embeddings.shape != (parts * length, shape.d_model):
        raise InputError(
            f"{path}: {EMBEDDINGS} has shape {embeddings.shape}, but {length} virtual tokens of the "
            f"backbone's width {shape.d_model} were expected; it belongs to another model"
        )
    if not np.isfinite(embeddings).all():
        raise InputError(f"{path}: {EMBEDDINGS} has values that are not finite")
    return Prompt(soft=embeddings[:length].copy())


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} is not a JSON object of a sensible size")
    return config
