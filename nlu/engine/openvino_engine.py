"""The CPU engine: the two encoder stages, exported once from torch and compiled by OpenVINO.

Measured here, one row alone takes half of torch's time at the same float32 results (benchmarks/RESULTS.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nlu.backbone import Backbone
from nlu.cache import cached_directory
from nlu.compute import Compute, Precision
from nlu.encoder import Encoder
from nlu.engine.base import Engine, Mask
from nlu.prompt import Floats, Prompt

KERNELS = 100  # kept, of shapes of batches; the default of 5,000 grows 0.4 MB a batch and saves no time
EXPORT = "1"  # part of the cache key: raise it when the export below changes


class OpenvinoEngine(Engine):
    """Runs the encoder in OpenVINO on the CPU; shapes are dynamic, nothing is compiled while serving."""

    name = "openvino"

    def __init__(self, backbone: Backbone, compute: Compute) -> None:
        encoder = backbone.encoder()
        super().__init__(encoder.shape, encoder.embedding.weight.detach().float().numpy())
        self._backbone = backbone
        self._compute = compute
        self._loading = Lock()
        self._trunk_request = _compiled(self._exported(), "trunk", compute)
        self._top_requests: dict[bool, Any] = {}  # by whether they are adapted
        shape = encoder.shape
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
                    self._top_requests[adapted] = _compiled(self._exported(adapted), "top", self._compute)
        return self._top_requests[adapted]

    def _exported(self, adapted: bool = False) -> Path:
        """Return the directory with the exported stages; the trunk is in that of the plain encoder."""
        backbone = self._backbone
        fingerprint = backbone.fingerprint_for(Prompt(adapted=adapted))
        stages = ("top",) if adapted else ("trunk", "top")
        return cached_directory(
            backbone.cache / f"openvino-{fingerprint[:16]}-{EXPORT}",
            lambda directory: _export(backbone.encoder(adapted=adapted), stages, directory),
        )


class _Stage(nn.Module):
    """One stage of the encoder as a module of its own, which is what the exporter traces."""

    def __init__(self, encoder: Encoder, stage: Callable[..., Tensor]) -> None:
        super().__init__()
        self.encoder = encoder
        self.stage = stage

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.stage(*inputs)


def _export(encoder: Encoder, names: Sequence[str], directory: Path) -> None:
    import openvino

    shape = encoder.shape
    hidden, mask = torch.zeros(2, 7, shape.d_model), torch.ones(2, 7, dtype=torch.bool)
    prompt = torch.zeros(2, shape.prompted_layers, 2, 5, shape.d_attention)
    stages: dict[str, tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = {
        "trunk": (encoder.trunk, (hidden, mask)),
        "top": (encoder.top, (hidden, mask, prompt, torch.ones(2, 5, dtype=torch.bool))),
    }
    for name in names:
        stage, example = stages[name]
        with warnings.catch_warnings():  # OpenVINO traces; torch would rather have it exported
            warnings.simplefilter("ignore")
            model = openvino.convert_model(_Stage(encoder, stage).eval(), example_input=example)
        dynamic: list[list[int]] = [[-1, -1, shape.d_model], [-1, -1]]
        if name == "top":
            dynamic += [[-1, shape.prompted_layers, 2, -1, shape.d_attention], [-1, -1]]
        model.reshape({index: openvino.PartialShape(sizes) for index, sizes in enumerate(dynamic)})
        openvino.save_model(model, directory / f"{name}.xml", compress_to_fp16=False)


def _compiled(directory: Path, name: str, compute: Compute) -> Any:
    """Return an inference request of a stage."""
    import openvino

    model = openvino.Core().compile_model(
        directory / f"{name}.xml",
        "CPU",
        {
            "INFERENCE_NUM_THREADS": compute.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "CPU_RUNTIME_CACHE_CAPACITY": str(KERNELS),
            "INFERENCE_PRECISION_HINT": "bf16" if compute.precision is Precision.BFLOAT16 else "f32",
        },
    )
    return model.create_infer_request()


def _infer(request: Any, inputs: list[Any]) -> Floats:
    request.infer(inputs, share_inputs=True)
    output: Floats = request.get_output_tensor(0).data.copy()  # the request reuses its buffer
    return output
