"""Matrices of OpenVINO graphs in int8: a quarter of the bytes, and what CPUs multiply fastest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nlu.half import Floats

if TYPE_CHECKING:
    import openvino

GROUP = 64  # activations that share a scale (benchmarks/RESULTS.md); one for a whole token is less exact
STEPS = 127  # of int8 to each side of zero


def round_weights(model: openvino.Model) -> None:
    """Turn the matrices that states are multiplied with into int8, and a scale for each output."""
    from openvino import opset13

    for node in model.get_ordered_ops():
        source = node.input(1).get_source_output() if node.get_type_name() == "MatMul" else None
        if source is None or source.get_node().get_type_name() != "Constant":
            continue
        rounded, scale = rounded_weights(source.get_node().data)
        weights = opset13.multiply(opset13.convert(opset13.constant(rounded), "f32"), opset13.constant(scale))
        node.input(1).replace_source_output(weights.output(0))


def rounded_weights(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return (outputs, inputs) weights as int8, and (outputs, 1) scales; those that are int8 stay exact."""
    size = np.abs(weights)
    scale = np.where(size > 0, size, np.inf).min(axis=1, keepdims=True)  # if they are int8, of the smallest
    scale[np.isinf(scale)] = 1
    steps = weights / scale
    exact = (np.abs(steps - np.round(steps)).max(axis=1) < 1e-3) & (np.abs(steps).max(axis=1) < STEPS + 0.5)
    widest = size.max(axis=1, keepdims=True).clip(np.finfo(np.float32).tiny) / STEPS
    scale = np.where(exact[:, None], scale, widest).astype(np.float32)
    return np.round(weights / scale).astype(np.int8), scale
