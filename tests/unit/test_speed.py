from __future__ import annotations

import pytest

from nlu.compute import Compute, Precision
from nlu.engine import choose_for_serving, speed
from nlu.engine.speed import fastest_in_openvino
from skills.errors import InputError

OPEN = Compute("cpu", Precision.AUTO, 1)


@pytest.mark.parametrize(
    ("float32", "bfloat16", "int8", "fastest"),
    [
        (3.0, 2.0, 1.0, Precision.INT8),
        (3.0, 1.0, 2.0, Precision.BFLOAT16),
        (3.0, 1.0, 1.1, Precision.INT8),
        (1.1, 1.0, 1.0, Precision.FLOAT32),
        (1.0, 2.0, 3.0, Precision.FLOAT32),
    ],
)
def test_fewer_bits_must_win_by_a_margin(
    monkeypatch: pytest.MonkeyPatch, float32: float, bfloat16: float, int8: float, fastest: Precision
) -> None:
    seconds = {Precision.FLOAT32: float32, Precision.BFLOAT16: bfloat16, Precision.INT8: int8}
    monkeypatch.setattr(speed, "_seconds", lambda precision, compute: seconds[precision])
    assert fastest_in_openvino(OPEN) is fastest


def test_measures_what_this_cpu_takes() -> None:
    assert all(0 < speed._seconds(each, OPEN) < 10 for each in list(Precision)[1:])


def test_what_serves_is_settled_for_its_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "fastest_in_openvino", lambda compute: Precision.INT8)
    monkeypatch.setattr("nlu.engine.choice.fastest_in_torch", lambda compute: Precision.BFLOAT16)
    assert choose_for_serving("cpu", "auto", 1, "auto") == Compute("cpu", Precision.INT8, 1)
    assert choose_for_serving("cpu", "auto", 1, "torch").precision is Precision.BFLOAT16
    assert choose_for_serving("cpu", "float32", 1, "auto").precision is Precision.FLOAT32
    with pytest.raises(InputError, match="engine 'onnx'"):
        choose_for_serving("cpu", "auto", 1, "onnx")
