"""Which engine to run: the fastest that this machine has, or the one that was asked for."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine.base import Engine
from nlu.engine.decoder_base import DecoderEngine
from nlu.engine.torch_decoder import TorchDecoder
from nlu.engine.torch_engine import TorchEngine
from skills.errors import InputError

ENGINES = ("auto", "openvino", "torch")


def make_engine(backbone: Backbone, compute: Compute, name: str = "auto") -> Engine:
    """Build an engine: OpenVINO on a CPU that has the package, torch otherwise.

    Raises:
        InputError: no such engine, or it cannot run here.
    """
    if engine_name(compute, name) == TorchEngine.name:
        return TorchEngine(backbone.encoder(), compute, partial(backbone.encoder, adapted=True))
    from nlu.engine.openvino_engine import OpenvinoEngine  # the package is optional

    return OpenvinoEngine(backbone, compute)


def engine_name(compute: Compute, name: str = "auto") -> str:
    """Return which engine `make_engine` builds.

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


def make_decoder(backbone: Backbone, compute: Compute, name: str = "auto") -> DecoderEngine:
    """Build the engine of the decoder that goes with `make_engine`'s.

    In float32 that is torch, whose greedy decoding is exact; OpenVINO rounds to int8.

    Raises:
        InputError: as `make_engine`.
    """
    if engine_name(compute, name) == TorchDecoder.name or compute.precision is not Precision.BFLOAT16:
        return TorchDecoder(backbone.decoder(), compute)
    from nlu.engine.openvino_decoder import OpenvinoDecoder  # the package is optional

    return OpenvinoDecoder(
        backbone.decoder(), compute, fingerprint=backbone.fingerprint, cache=backbone.cache
    )
