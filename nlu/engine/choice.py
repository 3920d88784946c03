"""Which engine to run: the fastest that this machine has, or the one that was asked for.

Engines are imported when they are chosen: a server that runs OpenVINO needs no torch.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision, choose, fastest_in_torch
from nlu.engine.base import Engine
from nlu.engine.decoder_base import DecoderEngine
from nlu.engine.probe import Probe
from skills.errors import BackboneError, EngineRefusedError, InputError

ENGINES = ("auto", "openvino", "torch")

logger = logging.getLogger(__name__)


def choose_for_serving(device: str, precision: str, threads: int, engine: str) -> Compute:
    """Settle what answers are computed with; `auto` precision is the fastest that the engine has here.

    Raises:
        InputError: as `choose` and `make_engine`.
    """

    def fastest(compute: Compute) -> Precision:
        if engine_name(compute, engine) == "torch":
            return fastest_in_torch(compute)
        from nlu.engine.speed import fastest_in_openvino

        return fastest_in_openvino(compute)

    return choose(device, precision, threads, fastest=fastest)


def make_engine(backbone: Backbone, compute: Compute, name: str = "auto") -> Engine:
    """Build an engine: OpenVINO on a CPU that has the package, torch otherwise.

    Each is checked against stored outputs. With `auto`, one that fails makes room for the next, and the log
    tells.

    Raises:
        InputError: no such engine, or it cannot run here, or not in this precision.
        EngineRefusedError: it gives other values than it should.
    """
    *others, last = _candidates(compute, name)
    for engine, settled in others:
        try:
            return _made(backbone, engine, settled)
        except EngineRefusedError as error:
            logger.error("%s; the next engine is tried", error)
    return _made(backbone, *last)


def engine_name(compute: Compute, name: str = "auto") -> str:
    """Return which engine `make_engine` tries first.

    Raises:
        InputError: no such engine, or it cannot run here.
    """
    if name not in ENGINES:
        raise InputError(
            f"engine {name!r} does not exist; choose one of {', '.join(ENGINES)}", field="engine"
        )
    openvino_fits = compute.device == "cpu" and find_spec("openvino") is not None
    if name == "openvino" and not openvino_fits:
        raise InputError(
            "engine 'openvino' needs the package openvino and --device cpu; use --engine torch",
            field="engine",
        )
    return "openvino" if openvino_fits and name != "torch" else "torch"


def make_decoder(backbone: Backbone, compute: Compute, name: str = "auto") -> DecoderEngine[Any]:
    """Build the engine of the decoder that goes with `make_engine`'s.

    In float32 that is torch, whose greedy decoding is exact; OpenVINO rounds to int8.

    Raises:
        InputError: as `make_engine`.
        BackboneError: torch is needed and not installed.
    """
    if engine_name(compute, name) == "openvino" and compute.precision is not Precision.FLOAT32:
        from nlu.engine.openvino_decoder import OpenvinoDecoder

        return OpenvinoDecoder(backbone, compute)
    if find_spec("torch") is None:
        raise BackboneError(
            f"corrections in {compute.precision} need torch, of softspoken[train]: use --precision int8"
        )
    from nlu.engine.torch_decoder import TorchDecoder

    return TorchDecoder(backbone.decoder(), compute)


def _candidates(compute: Compute, name: str) -> list[tuple[str, Compute]]:
    """Return engines with what they are to run in, the fastest first."""
    found = [(engine_name(compute, name), compute)]
    if name == "auto" and found[0][0] == "openvino":
        exact = replace(compute, precision=Precision.FLOAT32)
        found += [("openvino", exact)] if compute != exact else []
        found += [("torch", exact)] if find_spec("torch") is not None else []
    return found


def _made(backbone: Backbone, engine: str, compute: Compute) -> Engine:
    if engine == "openvino":
        from nlu.engine.openvino_engine import OpenvinoEngine

        made = OpenvinoEngine(backbone, compute)
        made.prepare(adapted=False)
        return made
    if compute.precision is Precision.INT8:
        raise InputError(
            "precision int8 needs engine openvino; use --precision bfloat16 or float32", field="precision"
        )
    import torch

    from nlu.engine.torch_engine import TorchEngine

    torch.set_num_threads(compute.threads)
    reference = TorchEngine(backbone.encoder(), compute, partial(backbone.encoder, adapted=True))
    if (compute.device, compute.precision) != ("cpu", Precision.FLOAT32):  # which is what others are held to
        reference.check(Probe.of(backbone))
    return reference
