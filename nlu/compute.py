"""What the machine can do: how many threads to use, on which device, in which precision.

torch comes in only where it is asked: a server on a CPU does without.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from skills.errors import InputError

if TYPE_CHECKING:
    import torch

DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # without one of them, Linux has no GPU to ask torch for


class Precision(StrEnum):
    """Number format of the frozen weights; INT8 rounds activations as well, and OpenVINO alone has it."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"


@dataclass(frozen=True)
class Compute:
    """Settled choices; make one with `choose`."""

    device: str
    precision: Precision
    threads: int

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of the weights."""
        import torch

        return torch.bfloat16 if self.precision is Precision.BFLOAT16 else torch.float32


def choose(
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    *,
    fastest: Callable[[Compute], Precision] | None = None,
) -> Compute:
    """Settle what was left open.

    Args:
        device: `auto` (CUDA when there is one), `cpu`, `cuda` or `cuda:N`.
        precision: `auto`, or one of `Precision` by name.
        threads: 0 for as many as this process may use.
        fastest: says what `auto` is. By default bfloat16 where torch is measurably faster in it; torch's
            thread count is set then.

    Raises:
        InputError: no such device or precision, or the thread count is above what is available.
    """
    available = available_cpus()
    if not 0 <= threads <= available:
        raise InputError(
            f"threads is {threads}, but this process may use {available} CPUs: more threads than free cores "
            "make everything several times slower; use 0 to take what is there",
            field="threads",
        )
    if precision not in list(Precision):
        raise InputError(
            f"precision {precision!r} does not exist; choose one of {', '.join(Precision)}", field="precision"
        )
    compute = Compute(_device(device), Precision(precision), threads or available)
    if fastest is None:
        import torch

        torch.set_num_threads(compute.threads)
        fastest = fastest_in_torch
    if compute.precision is not Precision.AUTO:
        return compute
    return replace(compute, precision=fastest(compute))


def fastest_in_torch(compute: Compute) -> Precision:
    """Return bfloat16 where torch is measurably faster in it, float32 elsewhere."""
    return Precision.BFLOAT16 if bfloat16_is_faster(compute.device) else Precision.FLOAT32


def available_cpus() -> int:
    """Return how many CPUs this process may use: its affinity, capped by the container's quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota(Path("/sys/fs/cgroup/cpu.max"))
    return cpus if quota is None else max(1, min(cpus, math.floor(quota)))


def _cgroup_quota(cpu_max: Path) -> float | None:
    """Return the CPU quota of a cgroup v2 file in CPUs, or None where there is none."""
    try:
        limit, period = cpu_max.read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _device(name: str) -> str:
    if name == "auto":
        return "cuda" if _cuda_devices() else "cpu"
    if name == "cpu":
        return name
    kind, _, index = name.partition(":")
    if kind != "cuda" or (":" in name and not index.isdecimal()):
        raise InputError(f"device {name!r} does not exist; use auto, cpu, cuda or cuda:N", field="device")
    found = _cuda_devices()
    if int(index or 0) >= found:
        raise InputError(
            f"device {name!r} asked, but torch sees {found} CUDA devices; use --device cpu", field="device"
        )
    return name


def _cuda_devices() -> int:
    if sys.platform == "linux" and not any(map(os.path.exists, DRIVERS)):
        return 0
    if find_spec("torch") is None:
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def bfloat16_is_faster(device: str) -> bool:
    """Measure a matrix product of one utterance's size in both precisions; 0.2 s where bfloat16 is emulated.

    CPUs without bfloat16 instructions emulate them slowly; a margin of 20 % keeps noise from deciding.
    """
    import torch

    def seconds(dtype: torch.dtype) -> float:
        left = torch.ones(32, 512, dtype=dtype, device=device)
        right = torch.ones(512, 512, dtype=dtype, device=device)
        best = math.inf
        for _ in range(6):  # the first ones warm up
            start = time.perf_counter()
            (left @ right).sum().item()
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(torch.bfloat16) * 1.2 < seconds(torch.float32)
