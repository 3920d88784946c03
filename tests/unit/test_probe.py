"""Engines are held to what torch in float32 says."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import make_engine, probe
from nlu.engine.probe import TOLERANCE, Probe
from skills.errors import EngineRefusedError

INT8 = Compute("cpu", Precision.INT8, threads=1)


def test_an_engine_that_is_off_is_refused_with_the_figures(backbone: Backbone) -> None:
    found = Probe.of(backbone)
    found.check("mine", Precision.FLOAT32, "top", found.top)
    beside = found.top + (~found.mask[..., None]).astype(np.float32)  # padding may be anything
    found.check("mine", Precision.FLOAT32, "top", beside)
    with pytest.raises(
        EngineRefusedError, match=r"mine in int8 is off by 0\.5 of .* trunk, 0\.06 is allowed"
    ):
        found.check("mine", Precision.INT8, "trunk", 1.5 * found.trunk)
    with pytest.raises(EngineRefusedError, match="off by nan"):
        found.check("mine", Precision.INT8, "trunk", found.trunk * np.float32(np.nan))


def test_the_adapter_has_outputs_of_its_own(adapted_backbone: Backbone) -> None:
    plain, adapted = (Probe.of(adapted_backbone, adapted=each) for each in (False, True))
    assert np.array_equal(plain.trunk, adapted.trunk)
    with pytest.raises(EngineRefusedError):
        plain.check("mine", Precision.FLOAT32, "top", adapted.top)


def test_auto_takes_the_next_engine_and_says_why(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(probe.TOLERANCE, Precision.INT8, 1e-6)
    with caplog.at_level(logging.ERROR):
        engine = make_engine(backbone, INT8)
    assert engine.name == "openvino"
    assert "in int8 is off by 0.0" in caplog.text
    monkeypatch.setitem(probe.TOLERANCE, Precision.FLOAT32, 0.0)
    assert make_engine(backbone, INT8).name == "torch"
    with pytest.raises(EngineRefusedError, match="engine openvino in int8"):
        make_engine(backbone, INT8, "openvino")


def test_torch_is_checked_where_it_rounds(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TOLERANCE", dict.fromkeys(TOLERANCE, 0.0))
    exact = replace(INT8, precision=Precision.FLOAT32)
    assert make_engine(backbone, exact, "torch").name == "torch"
    with pytest.raises(EngineRefusedError, match="engine torch in bfloat16"):
        make_engine(backbone, replace(INT8, precision=Precision.BFLOAT16), "torch")
