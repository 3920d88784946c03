"""The engines of the decoder: which one is made, what their heads say, how weights are rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import DecoderEngine, make_decoder
from nlu.engine.openvino_decoder import OpenvinoDecoder
from nlu.engine.rounding import rounded_weights
from nlu.engine.torch_decoder import TorchDecoder
from nlu.prompt import Floats
from skills.errors import InputError

EXACT, FAST = (Compute("cpu", precision, 1) for precision in (Precision.FLOAT32, Precision.BFLOAT16))


@pytest.fixture(scope="module")
def openvino(backbone: Backbone) -> DecoderEngine[Any]:
    return make_decoder(backbone, FAST)


def test_bfloat16_is_openvino_and_float32_is_exact(backbone: Backbone, openvino: DecoderEngine[Any]) -> None:
    assert openvino.name == "openvino"
    assert make_decoder(backbone, EXACT).name == "torch"
    assert make_decoder(backbone, FAST, "torch").name == "torch"
    with pytest.raises(InputError, match="does not exist"):
        make_decoder(backbone, FAST, "onnx")


def test_the_likeliest_is_the_first_of_equals(backbone: Backbone, openvino: DecoderEngine[Any]) -> None:
    """Scores of half the precision often tie, and transformers takes the first."""
    lm_head = backbone.decoder().lm_head
    states = torch.randn(40, lm_head.in_features, generator=torch.Generator().manual_seed(1))
    states[0] = 0  # all tie
    torch_decoder = TorchDecoder(backbone.decoder(), FAST)
    with torch.inference_mode():
        best, probabilities = torch_decoder._best(states.bfloat16())
        scores = lm_head.bfloat16()(states.bfloat16()).float()
    assert torch.equal(best, scores.argmax(dim=-1))
    expected = scores.softmax(dim=-1).amax(dim=-1)
    torch.testing.assert_close(probabilities, expected, atol=1e-4, rtol=1e-3)
    assert isinstance(openvino, OpenvinoDecoder)
    found, likely = openvino._best(states.numpy())
    assert found[0] == 0
    assert (found == best.numpy()).mean() > 0.9  # random states have close calls
    np.testing.assert_allclose(likely, expected, atol=0.2)


def _weights(*, step: float) -> Floats:
    levels = np.random.default_rng(1).integers(-127, 128, (6, 300)).astype(np.float32)
    levels[:, 0], levels[2] = 1, 0
    return levels * np.float32(step)


def test_int8_weights_stay_exact() -> None:
    weights = _weights(step=0.0123)
    rounded, scale = rounded_weights(weights)
    assert rounded.dtype == np.int8
    np.testing.assert_allclose(rounded * scale, weights, rtol=1e-5)


def test_other_weights_are_rounded_each_output_by_itself() -> None:
    weights = np.random.default_rng(2).standard_normal((5, 300), np.float32) * [[1], [9], [1e-4], [0], [3]]
    rounded, scale = rounded_weights(weights.astype(np.float32))
    widest = np.abs(weights).max(axis=1, keepdims=True)
    assert np.all(np.abs(rounded * scale - weights) <= 0.51 * widest / 127)
