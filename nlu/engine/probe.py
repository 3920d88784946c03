"""Does an engine compute what it should? Probe rows against what torch in float32 said of them, once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file

from nlu.backbone import Backbone
from nlu.compute import Precision
from nlu.engine.exports import exported
from nlu.half import Floats
from nlu.prompt import Prompt
from skills.errors import EngineRefusedError

if TYPE_CHECKING:
    from nlu.engine.base import Mask

PROBE = "1"  # part of the cache key: raise it when the rows below change
LENGTHS = (3, 9, 17, 40)  # tokens
PROMPT_LENGTH = 6
# Of a stage's output, as a share of its size (root of the mean square): three times what the CPUs that we
# measured on are off by.
TOLERANCE = {Precision.FLOAT32: 1e-4, Precision.BFLOAT16: 0.03, Precision.INT8: 0.06}


@dataclass(frozen=True, eq=False)
class Probe:
    """Rows, and the outputs of both stages in float32; each array as the stages of `Engine` take it."""

    embeddings: Floats
    mask: Mask
    prompt: Floats
    prompt_mask: Mask
    trunk: Floats
    top: Floats

    @classmethod
    def of(cls, backbone: Backbone, *, adapted: bool = False) -> Probe:
        """Read it from the cache; the first time, torch makes it.

        Raises:
            BackboneError: torch is needed and not installed, or the cache cannot be written.
        """
        fingerprint = backbone.fingerprint_for(Prompt(adapted=adapted))
        directory = exported(
            backbone.cache / f"probe-{fingerprint[:16]}-{PROBE}",
            lambda directory: _write(backbone, adapted, directory),
        )
        return cls(**load_file(directory / "probe.safetensors"))

    def check(self, engine: str, precision: Precision, stage: str, found: Floats) -> None:
        """Compare what an engine's stage gave, `trunk` or `top`.

        Raises:
            EngineRefusedError: it is off by more than the precision explains.
        """
        expected: Floats = getattr(self, stage)
        off = float(np.linalg.norm((found - expected)[self.mask]) / np.linalg.norm(expected[self.mask]))
        tolerance = TOLERANCE[precision]
        if not off <= tolerance:  # nor if it is not a number
            raise EngineRefusedError(
                f"engine {engine} in {precision} is off by {off:.2g} of the values in the encoder's {stage}, "
                f"{tolerance:g} is allowed: use another --engine or --precision, and report this CPU"
            )


def _write(backbone: Backbone, adapted: bool, directory: Path) -> None:
    import torch

    shape, generator = backbone.shape, np.random.default_rng(13)
    mask = np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]
    ids = generator.integers(3, min(shape.vocab_size, 10_000), mask.shape)  # common words come first
    sizes = (len(LENGTHS), shape.prompted_layers, 2, PROMPT_LENGTH, shape.d_attention)
    arrays = {
        "embeddings": backbone.embedding[ids] * mask[..., None],
        "mask": mask,
        "prompt": generator.normal(size=sizes).astype(np.float32),
        "prompt_mask": np.arange(PROMPT_LENGTH) < generator.integers(1, PROMPT_LENGTH + 1, (len(LENGTHS), 1)),
    }
    encoder = backbone.encoder(adapted=adapted)
    embeddings, seen, prompt, prompt_mask = map(torch.from_numpy, arrays.values())
    with torch.inference_mode():
        trunk = encoder.trunk(embeddings, seen)
        top = encoder.top(trunk, seen, prompt, prompt_mask)
    save_file({**arrays, "trunk": trunk.numpy(), "top": top.numpy()}, directory / "probe.safetensors")
