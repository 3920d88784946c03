"""A stored skill version made ready to serve: checked, unpacked, immutable."""

from __future__ import annotations

import math
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
from skills.skill import Calibration, Method, SkillKind, SkillVersion

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
            safetensors file, incomplete, of the wrong shape, or not finite.
    """
    if version.backbone != fingerprint:
        raise SkillRefusedError(
            f"{version} was trained on backbone {version.backbone[:12]}, but {fingerprint[:12]} is loaded: "
            "serve it with its own backbone or train it again"
        )
    if version.kind is not SkillKind.INTENT:
        raise SkillRefusedError(
            f"{version} is of kind {version.kind}, which this program cannot serve: upgrade it"
        )
    try:
        tensors: Tensors = load(blob)
        for name, tensor in tensors.items():
            if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
                raise ValueError(f"{name} has values that are not finite")
        return LoadedSkill(version, _prompt(version, tensors, shape), _intent_head(version, tensors, shape))
    except KeyError as error:
        raise SkillRefusedError(f"{version} lacks {error}; train it again") from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise SkillRefusedError(f"{version} cannot be served: {error}; train it again") from error


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


def _prompt(version: SkillVersion, tensors: Tensors, shape: EncoderShape) -> Prompt:
    if version.method is Method.SOFT_PROMPT:
        return Prompt(soft=_floats(tensors, "prompt.soft", (None, shape.d_model)))
    return Prompt(deep=_floats(tensors, "prompt.deep", (shape.prompted_layers, 2, None, shape.d_attention)))


def _intent_head(version: SkillVersion, tensors: Tensors, shape: EncoderShape) -> IntentHead:
    if len(version.labels) < 2:
        raise ValueError(f"it has {len(version.labels)} labels, at least 2 are needed")
    prototypes = _floats(tensors, "head.prototypes", (len(version.labels), shape.d_model))
    settings = {name: float(version.head[name]) for name in ("scale", "lexical_weight")}
    for name, value in settings.items():
        if not math.isfinite(value):
            raise ValueError(f"its head's {name} is {value}")
    return IntentHead(
        labels=version.labels,
        prototypes=prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True).clip(1e-6),
        lexical=_lexical(tensors, len(version.labels)) if settings["lexical_weight"] else None,
        calibration=_checked(version.calibration),
        **settings,
    )


def _lexical(tensors: Tensors, label_count: int) -> LexicalExpert:
    """Unpack the n-gram expert; everything that it will be indexed with is checked."""
    buckets, starts = tensors["lexical.buckets"], tensors["lexical.starts"]
    if buckets.dtype != np.uint16 or starts.dtype != np.int32:
        raise ValueError(f"lexical.buckets and lexical.starts hold {buckets.dtype} and {starts.dtype}")
    if buckets.ndim != 1 or starts.shape != (label_count + 1,):
        raise ValueError(f"lexical.starts has shape {starts.shape} for {label_count} labels")
    if starts[0] != 0 or starts[-1] != len(buckets) or (np.diff(starts) < 0).any():
        raise ValueError(
            f"lexical.starts does not divide the {len(buckets)} lexical.buckets among the labels"
        )
    weights = _floats(tensors, "lexical.weights", (len(buckets),))
    scale = _floats(tensors, "lexical.scale", (1,))
    return LexicalExpert(buckets.astype(np.uint16), weights * scale, starts.astype(np.int32))


def _checked(calibration: Calibration) -> Calibration:
    numbers = (calibration.scope_weight, calibration.scope_bias, calibration.scope_threshold)
    if not all(map(math.isfinite, numbers)) or not 0.0 < calibration.temperature < math.inf:
        raise ValueError(
            f"its calibration is not of finite numbers with a positive temperature: {calibration}"
        )
    return calibration


def _floats(tensors: Tensors, name: str, expected: tuple[int | None, ...]) -> Floats:
    """Return a tensor as float32 after a look at its shape; None in `expected` fits any size above 0."""
    tensor = tensors[name]
    fits = len(tensor.shape) == len(expected) and all(
        found > 0 if size is None else found == size
        for size, found in zip(expected, tensor.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {tensor.shape}, expected {expected}")
    return tensor.astype(np.float32)


def _quantised(weights: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Return weights in 255 steps, and the step; they are never negative."""
    step = max(float(weights.max(initial=0.0)), 1e-12) / 255
    return np.rint(weights / step).astype(np.uint8), np.array([step], np.float32)
