"""The reference engine: torch on CPU or CUDA."""

from __future__ import annotations

import torch
from torch import Tensor

from nlu.compute import Compute
from nlu.encoder import Encoder
from nlu.engine.base import GPU_CHUNK_TOKENS, Engine, Mask
from nlu.prompt import Floats


class TorchEngine(Engine):
    """Runs the encoder in torch, in the precision and on the device that `compute` names."""

    name = "torch"

    def __init__(self, encoder: Encoder, compute: Compute) -> None:
        sizes = (
            {} if compute.device == "cpu" else {"chunk_tokens": GPU_CHUNK_TOKENS, "lanes": GPU_CHUNK_TOKENS}
        )
        embedding = encoder.embedding.weight.detach().float().cpu().numpy()
        super().__init__(encoder.shape, embedding, **sizes)
        self._encoder = encoder.to(device=compute.device, dtype=compute.dtype)
        self._compute = compute

    @torch.inference_mode()
    def _trunk(self, embeddings: Floats, mask: Mask) -> Floats:
        return self._to_numpy(self._encoder.trunk(self._states(embeddings), self._mask(mask)))

    @torch.inference_mode()
    def _top(self, hidden: Floats, mask: Mask, prompt: Floats | None, prompt_mask: Mask | None) -> Floats:
        top = self._encoder.top(
            self._states(hidden),
            self._mask(mask),
            None if prompt is None else self._states(prompt),
            None if prompt_mask is None else self._mask(prompt_mask),
        )
        return self._to_numpy(top)

    def _states(self, array: Floats) -> Tensor:
        return torch.from_numpy(array).to(device=self._compute.device, dtype=self._compute.dtype)

    def _mask(self, array: Mask) -> Tensor:
        return torch.from_numpy(array).to(self._compute.device)

    def _to_numpy(self, states: Tensor) -> Floats:
        array: Floats = states.float().cpu().numpy()
        return array
