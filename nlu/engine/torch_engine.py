"""The reference engine: torch on CPU or CUDA."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import torch
from torch import Tensor

from nlu.adapter import ADAPT
from nlu.compute import Compute
from nlu.encoder import Encoder
from nlu.engine.base import GPU_CHUNK_TOKENS, Engine, Mask
from nlu.engine.probe import Probe
from nlu.prompt import Floats
from skills.errors import BackboneError


class TorchEngine(Engine):
    """Runs the encoder in torch, in the precision and on the device that `compute` names.

    `adapted` makes the encoder with the adapter, when the first skill needs it.
    """

    name = "torch"

    def __init__(
        self, encoder: Encoder, compute: Compute, adapted: Callable[[], Encoder] | None = None
    ) -> None:
        sizes = (
            {} if compute.device == "cpu" else {"chunk_tokens": GPU_CHUNK_TOKENS, "lanes": GPU_CHUNK_TOKENS}
        )
        embedding = encoder.embedding.weight.detach().float().cpu().numpy()
        super().__init__(encoder.shape, embedding, **sizes)
        self._encoder = encoder.to(device=compute.device, dtype=compute.dtype)
        self._compute = compute
        self._make_adapted = adapted
        self._loading = Lock()
        self._adapted: Encoder | None = None

    def prepare(self, *, adapted: bool) -> None:
        if adapted:
            self._top_encoder(adapted=True)

    def check(self, probe: Probe) -> None:
        """Compare what it computes, without the adapter, with a probe.

        Raises:
            EngineRefusedError: it is off by more than its precision explains.
        """
        precision = self._compute.precision
        probe.check(self.name, precision, "trunk", self._trunk(probe.embeddings, probe.mask))
        top = self._top(probe.trunk, probe.mask, probe.prompt, probe.prompt_mask, adapted=False)
        probe.check(self.name, precision, "top", top)

    @torch.inference_mode()
    def _trunk(self, embeddings: Floats, mask: Mask) -> Floats:
        return self._to_numpy(self._encoder.trunk(self._states(embeddings), self._mask(mask)))

    @torch.inference_mode()
    def _top(
        self, hidden: Floats, mask: Mask, prompt: Floats | None, prompt_mask: Mask | None, *, adapted: bool
    ) -> Floats:
        top = self._top_encoder(adapted=adapted).top(
            self._states(hidden),
            self._mask(mask),
            None if prompt is None else self._states(prompt),
            None if prompt_mask is None else self._mask(prompt_mask),
        )
        return self._to_numpy(top)

    def _top_encoder(self, *, adapted: bool) -> Encoder:
        if not adapted:
            return self._encoder
        if self._make_adapted is None:
            raise BackboneError(f"the engine was made without an adapter: {ADAPT}")
        with self._loading:
            if self._adapted is None:
                encoder = self._make_adapted()
                encoder.share_trunk(self._encoder)
                self._adapted = encoder.to(device=self._compute.device, dtype=self._compute.dtype)
            return self._adapted

    def _states(self, array: Floats) -> Tensor:
        return torch.from_numpy(array).to(device=self._compute.device, dtype=self._compute.dtype)

    def _mask(self, array: Mask) -> Tensor:
        return torch.from_numpy(array).to(self._compute.device)

    def _to_numpy(self, states: Tensor) -> Floats:
        array: Floats = states.float().cpu().numpy()
        return array
