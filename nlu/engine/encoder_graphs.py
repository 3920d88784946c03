"""The encoder's two stages as graphs for OpenVINO, traced from torch and written once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from nlu.encoder import Encoder
from nlu.engine.rounding import round_weights


def export(encoder: Encoder, names: Sequence[str], directory: Path, *, int8: bool) -> None:
    """Write `trunk.xml` or `top.xml`, or both; `int8` rounds their matrices."""
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
        if int8:
            round_weights(model)
        openvino.save_model(model, directory / f"{name}.xml", compress_to_fp16=False)


class _Stage(nn.Module):
    """One stage of the encoder as a module of its own, which is what the exporter traces."""

    def __init__(self, encoder: Encoder, stage: Callable[..., Tensor]) -> None:
        super().__init__()
        self.encoder = encoder
        self.stage = stage

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.stage(*inputs)
