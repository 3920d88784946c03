"""The CPU engine: the two encoder stages, exported once from torch and compiled by OpenVINO.

Measured here, one row alone takes half of torch's time at the same float32 results, and a third of it with
int8 weights and activations that are rounded in groups (benchmarks/RESULTS.md). No two tokens share a scale,
so who shares a batch changes no answer.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine.base import Engine, Mask
from nlu.engine.exports import compiled, exported
from nlu.engine.probe import Probe
from nlu.engine.rounding import GROUP
from nlu.prompt import Floats, Prompt

KERNELS = 100  # kept, of shapes of batches; the default of 5,000 grows 0.4 MB a batch and saves no time
EXPORT = "1"  # part of the cache key: raise it when `encoder_graphs` changes


class OpenvinoEngine(Engine):
    """Runs the encoder in OpenVINO on the CPU; shapes are dynamic, nothing is compiled while serving."""

    name = "openvino"

    def __init__(self, backbone: Backbone, compute: Compute) -> None:
        """Load the trunk.

        Raises:
            EngineRefusedError: it computes something else than it should.
        """
        super().__init__(backbone.shape, backbone.embedding)
        self._backbone = backbone
        self._compute = compute
        self._loading = Lock()
        probe = Probe.of(backbone)
        self._trunk_request = self._checked(
            export_encoder(backbone, compute.precision), "trunk", probe, [probe.embeddings, probe.mask]
        )
        self._top_requests: dict[bool, Any] = {}  # by whether they are adapted
        shape = backbone.shape
        self._no_prompt = np.zeros((1, shape.prompted_layers, 2, 1, shape.d_attention), np.float32)

    def prepare(self, *, adapted: bool) -> None:
        self._top_request(adapted)

    def _trunk(self, embeddings: Floats, mask: Mask) -> Floats:
        return _infer(self._trunk_request, [embeddings, mask])

    def _top(
        self, hidden: Floats, mask: Mask, prompt: Floats | None, prompt_mask: Mask | None, *, adapted: bool
    ) -> Floats:
        if prompt is None or prompt_mask is None:  # one masked vector: the graph wants at least one
            prompt = np.broadcast_to(self._no_prompt, (len(hidden), *self._no_prompt.shape[1:]))
            prompt_mask = np.zeros((len(hidden), 1), np.bool_)
        inputs = [hidden, mask, np.ascontiguousarray(prompt), prompt_mask]
        return _infer(self._top_request(adapted), inputs)

    def _top_request(self, adapted: bool) -> Any:
        if adapted not in self._top_requests:
            with self._loading:  # rows of the other kind do not wait here
                if adapted not in self._top_requests:
                    self._top_requests[adapted] = self._loaded_top(adapted)
        return self._top_requests[adapted]

    def _loaded_top(self, adapted: bool) -> Any:
        probe = Probe.of(self._backbone, adapted=adapted)
        directory = export_encoder(self._backbone, self._compute.precision, adapted=adapted)
        inputs = [probe.trunk, probe.mask, probe.prompt, probe.prompt_mask]
        return self._checked(directory, "top", probe, inputs)

    def _checked(self, directory: Path, stage: str, probe: Probe, inputs: list[Any]) -> Any:
        """Return a request of a stage that gives for the probe's inputs what it should."""
        precision = self._compute.precision
        model = compiled(
            directory / f"{stage}.xml",
            self._compute,
            hint="bf16" if precision is Precision.BFLOAT16 else "f32",
            kernels=KERNELS,
            group=GROUP if precision is Precision.INT8 else 0,
        )
        request = model.create_infer_request()
        probe.check(self.name, precision, stage, _infer(request, inputs))
        return request


def export_encoder(backbone: Backbone, precision: Precision, *, adapted: bool = False) -> Path:
    """Return the directory with the exported stages; the first time, torch makes them.

    The trunk is in that of the plain encoder. float32 and bfloat16 share a directory.

    Raises:
        BackboneError: there is no adapter, torch is needed and not installed, or the cache cannot be written.
    """
    int8 = precision is Precision.INT8

    def make(directory: Path) -> None:
        from nlu.engine.encoder_graphs import export

        stages = ("top",) if adapted else ("trunk", "top")
        export(backbone.encoder(adapted=adapted), stages, directory, int8=int8)

    fingerprint = backbone.fingerprint_for(Prompt(adapted=adapted))
    kind = "openvino-int8" if int8 else "openvino"
    return exported(backbone.cache / f"{kind}-{fingerprint[:16]}-{EXPORT}", make)


def _infer(request: Any, inputs: list[Any]) -> Floats:
    request.infer(inputs, share_inputs=True)
    output: Floats = request.get_output_tensor(0).data.copy()  # the request reuses its buffer
    return output
