"""All that a server without torch needs of a backbone, made where torch is."""

from __future__ import annotations

from nlu.backbone import Backbone
from nlu.compute import Precision
from nlu.engine.openvino_decoder import export_decoder
from nlu.engine.openvino_engine import export_encoder
from nlu.engine.probe import Probe


def export_backbone(backbone: Backbone) -> None:
    """Write the graphs of all precisions, and what engines are held to, below the backbone's cache.

    Raises:
        BackboneError: torch is needed and not installed, or the cache cannot be written.
    """
    for adapted in (False,) if backbone.adapter is None else (False, True):
        Probe.of(backbone, adapted=adapted)
        for precision in (Precision.INT8, Precision.FLOAT32):  # bfloat16 has the graphs of float32
            export_encoder(backbone, precision, adapted=adapted)
    export_decoder(backbone)
