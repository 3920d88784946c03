"""The dialog adapter: a low-rank change of the encoder's top layers, made once, shared by all skills on it.

FLAN-T5 does not relate paraphrases; a sentence-embedding model taught it to (`training.adapter_training`).
A matrix W becomes W + B A (LoRA, Hu et al. 2021), folded into a second copy of the top layers. The trunk,
below the fork, stays as it is: it still runs once per utterance, with whichever skills are asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from safetensors import SafetensorError, safe_open

from nlu.weights import Weights, add_tensor
from skills.errors import BackboneError

if TYPE_CHECKING:
    from torch import Tensor

    from nlu.encoder import Encoder

DIALOG_ADAPTER = Path(__file__).parent / "assets" / "dialog_adapter.safetensors"
_MATRICES = ("qkv", "attention_out", "gate_up", "down")  # of a layer
ADAPT = "make one with 'softspoken backbone adapt'"


@dataclass(frozen=True, eq=False)
class Adapter:
    """Two factors for each matrix of the top layers.

    backbone: fingerprint of the weights that it was made for. factors: `layers.4.qkv.a` is (rank, in), and
    `layers.4.qkv.b` is (out, rank).
    """

    backbone: str
    factors: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> Adapter:
        """Read a file that `write` has written.

        Raises:
            BackboneError: it is not such a file.
        """
        try:
            with safe_open(path, framework="np") as tensors:
                return cls(tensors.metadata()["backbone"], Weights.read(path))
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise BackboneError(f"{path} cannot be read as an adapter: {error}; {ADAPT}") from error

    def write(self, path: Path) -> None:
        """Write a safetensors file, in half precision."""
        import torch
        from safetensors.torch import save_file

        halves = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in self.factors.items()}
        save_file(halves, path, metadata={"backbone": self.backbone})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the backbone's fingerprint and every factor: that of the two together."""
        if isinstance(self.factors, Weights):  # stored, and so known without torch
            return self.factors.fingerprint(self.backbone)
        import torch

        digest = hashlib.sha256(self.backbone.encode())
        for name, tensor in sorted(self.factors.items()):
            values = tensor.contiguous().view(torch.uint8).numpy().data
            add_tensor(digest, name, str(tensor.dtype), tuple(tensor.shape), (values,))
        return digest.hexdigest()

    def fold_into(self, encoder: Encoder) -> Encoder:
        """Return the encoder with its matrices changed; what it shares with others stays as it is.

        Raises:
            BackboneError: the factors are not those of its top layers.
        """
        from torch import nn

        names = matrix_names(encoder)
        expected = {f"{name}.{factor}" for name in names for factor in "ab"}
        if self.factors.keys() != expected:
            raise BackboneError(f"the adapter has {len(self.factors)} factors, not {len(expected)}: {ADAPT}")
        try:
            for name in names:
                matrix = cast(nn.Linear, encoder.get_submodule(name))
                change = self.factors[f"{name}.b"].float() @ self.factors[f"{name}.a"].float()
                matrix.weight = nn.Parameter(matrix.weight + change, requires_grad=False)
        except RuntimeError as error:
            raise BackboneError(f"the adapter does not fit its backbone: {error}; {ADAPT}") from error
        encoder.adapted = True
        return encoder


def matrix_names(encoder: Encoder) -> list[str]:
    """Return the names of the matrices above the fork."""
    shape = encoder.shape
    return [f"layers.{i}.{matrix}" for i in range(shape.fork, shape.num_layers) for matrix in _MATRICES]
