"""A stored skill version made ready to serve: checked, unpacked, immutable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from nlu.encoder import EncoderShape
from nlu.head import IntentHead
from nlu.lexical import LexicalExpert
from nlu.prompt import Floats, Prompt
from skills.errors import SkillRefusedError
from skills.skill import SkillKind, SkillVersion

Tensors = dict[str, NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class LoadedSkill:
    """One version, its prompt and its head."""

    version: SkillVersion
    prompt: Prompt
    head: IntentHead


def load_skill(version: SkillVersion, blob: bytes, *, fingerprint: str, shape: EncoderShape) -> LoadedSkill:
    """Unpack a version's tensors and check that this backbone can serve them.

    Raises:
        SkillRefusedError: made for another backbone, of a kind that this program does not know, not a
            safetensors file, of the wrong shape, or not finite.
    """
    if version.backbone != fingerprint:
        raise SkillRefusedError(
            f"{version} was trained on backbone {version.backbone[:12]}, but {fingerprint[:12]} is loaded: "
            "serve it with its own backbone or train it again"
        )
    if version.kind is not SkillKind.INTENT:
        raise SkillRefusedError(f"{version} is of kind {version.kind}, which this program cannot serve: upgrade it")
    try:
        tensors: Tensors = load(blob)
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                raise SkillRefusedError(f"{version}: tensor {name!r} has values that are not finite; train it again")
        return LoadedSkill(version, _prompt(tensors, shape), _intent_head(version, tensors, shape))
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise SkillRefusedError(f"{version}: its tensors do not fit this program: {error}; train it again") from error


def pack_skill(prompt: Prompt, head: IntentHead) -> bytes:
    """Return the safetensors file of a trained skill: prompts and prototypes in half precision."""
    tensors: Tensors = {"head.prototypes": head.prototypes.astype(np.float16)}
    if prompt.deep is not None:
        tensors["prompt.deep"] = prompt.deep.astype(np.float16)
    if prompt.soft is not None:  # small, and exact for the way to PEFT and back
        tensors["prompt.soft"] = prompt.soft
    if head.lexical is not None:
        tensors["lexical.buckets"] = head.lexical.buckets
        tensors["lexical.weights"], tensors["lexical.scale"] = _quantised(head.lexical.weights)
        tensors["lexical.starts"] = head.lexical.starts
    return save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()})


def _prompt(tensors: Tensors, shape: EncoderShape) -> Prompt:
    deep = _floats(tensors, "prompt.deep", (shape.prompted_layers, 2, None, shape.d_attention))
    return Prompt(deep, _floats(tensors, "prompt.soft", (None, shape.d_model)))


def _intent_head(version: SkillVersion, tensors: Tensors, shape: EncoderShape) -> IntentHead:
    prototypes = _floats(tensors, "head.prototypes", (len(version.labels), shape.d_model))
    if prototypes is None:
        raise KeyError("head.prototypes")
    lexical = None
    if "lexical.buckets" in tensors:
        starts = tensors["lexical.starts"].astype(np.int32)
        buckets = tensors["lexical.buckets"].astype(np.uint16)
        if len(starts) != len(version.labels) + 1 or starts[-1] != len(buckets) or (np.diff(starts) < 0).any():
            raise ValueError("the lexical weights do not cover the labels")
        weights = tensors["lexical.weights"].astype(np.float32) * tensors["lexical.scale"].astype(np.float32)
        lexical = LexicalExpert(buckets, weights, starts)
    return IntentHead(
        labels=version.labels,
        prototypes=prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True).clip(1e-6),
        scale=float(version.head["scale"]),
        lexical=lexical,
        lexical_weight=float(version.head["lexical_weight"]),
        calibration=version.calibration,
    )


def _floats(tensors: Tensors, name: str, expected: tuple[int | None, ...]) -> Floats | None:
    """Return a tensor as float32 after a look at its shape; None in `expected` fits any size."""
    if name not in tensors:
        return None
    tensor = tensors[name]
    fits = len(tensor.shape) == len(expected) and all(
        size is None or size == found for size, found in zip(expected, tensor.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {tensor.shape}, expected {expected}")
    return tensor.astype(np.float32)


def _quantised(weights: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Return weights in 255 steps, and the step; they are never negative."""
    step = max(float(weights.max(initial=0.0)), 1e-12) / 255
    return np.rint(weights / step).astype(np.uint8), np.array([step], np.float32)
