"""Graphs that are made with torch once per backbone, and used without it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlu.cache import cached_directory
from skills.errors import BackboneError

if TYPE_CHECKING:
    import openvino

    from nlu.compute import Compute


def exported(target: Path, make: Callable[[Path], None]) -> Path:
    """Return a directory below the cache, having `make` fill it with torch's help if it is not there yet.

    Raises:
        BackboneError: the cache cannot be written, or torch is needed and not installed.
    """
    if not target.exists() and find_spec("torch") is None:
        raise BackboneError(
            f"{target} is missing, and making it needs torch, which is not installed: run 'softspoken "
            "backbone export' where softspoken[train] is installed, and give --cache-dir (or "
            "SOFTSPOKEN_CACHE_DIR) a copy of its cache"
        )
    return cached_directory(target, make)


def compiled(
    graph: Path | openvino.Model, compute: Compute, *, hint: str, kernels: int, group: int = 0
) -> Any:
    """Compile a graph for the CPU.

    Args:
        graph: or the path of its .xml file.
        compute: for the number of threads.
        hint: precision of what is not in int8, `f32` or `bf16`.
        kernels: that are kept, each for a shape of batches.
        group: activations that share a scale where weights are int8; 0 leaves activations as they are.
    """
    import openvino

    options = {
        "INFERENCE_NUM_THREADS": compute.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "CPU_RUNTIME_CACHE_CAPACITY": str(kernels),
        "INFERENCE_PRECISION_HINT": hint,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(group),
    }
    return openvino.Core().compile_model(graph, "CPU", options)
