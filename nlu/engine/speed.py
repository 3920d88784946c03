"""Which precision OpenVINO is fastest in on this CPU, measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from nlu.compute import Compute, Precision
from nlu.engine.exports import compiled
from nlu.engine.rounding import GROUP, round_weights

if TYPE_CHECKING:
    import openvino

TOKENS, WIDTH, OUTPUTS = 16, 512, 1024  # of a matrix product about as large as those of one utterance
ROUNDS = 30
MARGIN = 1.2  # by which another precision must be faster: keeps noise from deciding


def fastest_in_openvino(compute: Compute) -> Precision:
    """Return int8, bfloat16 or float32; takes 0.1 s.

    CPUs without instructions for one of them emulate it slowly, or OpenVINO takes float32 in its place.
    """
    seconds = {precision: _seconds(precision, compute) for precision in list(Precision)[1:]}
    int8 = seconds[Precision.INT8] < seconds[Precision.BFLOAT16] * MARGIN  # so servers of a fleet agree
    best = Precision.INT8 if int8 else Precision.BFLOAT16
    return best if seconds[best] * MARGIN < seconds[Precision.FLOAT32] else Precision.FLOAT32


def _seconds(precision: Precision, compute: Compute) -> float:
    """Return what four products take, in the best of some rounds."""
    int8 = precision is Precision.INT8
    model = compiled(
        _products(int8=int8),
        compute,
        hint="bf16" if precision is Precision.BFLOAT16 else "f32",
        kernels=1,
        group=GROUP if int8 else 0,
    )
    request = model.create_infer_request()
    states = np.ones((TOKENS, WIDTH), np.float32)
    best = float("inf")
    for _ in range(ROUNDS):  # the first ones warm up
        start = time.perf_counter()
        request.infer([states], share_inputs=True)
        best = min(best, time.perf_counter() - start)
    return best


def _products(*, int8: bool) -> openvino.Model:
    """Return a graph of matrix products, one after the other."""
    import openvino
    from openvino import opset13

    generator = np.random.default_rng(13)
    states = first = opset13.parameter([-1, WIDTH], np.float32)
    for sizes in [(OUTPUTS, WIDTH), (WIDTH, OUTPUTS)] * 2:
        weights = opset13.constant(generator.normal(size=sizes).astype(np.float32) / WIDTH)
        states = opset13.matmul(states, weights, False, True)
    model = openvino.Model([states], [first], "products")
    if int8:
        round_weights(model)
    return model
