"""What the machine can do: how many threads to use, on which device, in which precision."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import torch

from skills.errors import InputError


class Precision(StrEnum):
    """Number format of the frozen weights."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclass(frozen=True)
class Compute:
    """Settled choices; make one with `choose`."""

    device: str
    precision: Precision
    threads: int

    @property
    def dtype(self) -> torch.dtype:
        """The torch type of the weights."""
        return torch.bfloat16 if self.precision is Precision.BFLOAT16 else torch.float32


def choose(device: str = "auto", precision: str = "auto", threads: int = 0) -> Compute:
    """Settle what was left open, and set torch's thread count.

    Args:
        device: `auto` (CUDA when there is one), `cpu`, `cuda` or `cuda:N`.
        precision: `auto` (bfloat16 where it is measurably faster), `float32` or `bfloat16`.
        threads: 0 for as many as this process may use.

    Raises:
        InputError: the device does not exist here, or the thread count is above what is available.
    """
    available = available_cpus()
    if not 0 <= threads <= available:
        raise InputError(
            f"threads is {threads}, but this process may use {available} CPUs: more threads than free cores "
            "make everything several times slower; use 0 to take what is there",
            field="threads",
        )
    threads = threads or available
    torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {device!r} asked, but torch sees no CUDA device; use --device cpu", field="device")
    settled = Precision(precision)
    if settled is Precision.AUTO:
        settled = Precision.BFLOAT16 if bfloat16_is_faster(torch.device(device)) else Precision.FLOAT32
    return Compute(device, settled, threads)


def available_cpus() -> int:
    """Return how many CPUs this process may use: its affinity, capped by the container's quota."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cgroup_quota(Path("/sys/fs/cgroup/cpu.max"))
    return max(1, min(cpus, math.ceil(quota))) if quota else cpus


def _cgroup_quota(cpu_max: Path) -> float | None:
    """Return the CPU quota of a cgroup v2 file in CPUs, or None where there is none."""
    try:
        limit, period = cpu_max.read_text().split()
    except (OSError, ValueError):
        return None
    return None if limit == "max" else int(limit) / int(period)


def bfloat16_is_faster(device: torch.device) -> bool:
    """Measure a matrix product of the encoder's size in both precisions; about 50 ms.

    CPUs without bfloat16 instructions emulate them slowly; a margin of 20 % keeps noise from deciding.
    """

    def seconds(dtype: torch.dtype) -> float:
        left = torch.ones(256, 512, dtype=dtype, device=device)
        right = torch.ones(512, 2048, dtype=dtype, device=device)
        best = math.inf
        for _ in range(6):  # the first ones warm up
            start = time.perf_counter()
            (left @ right).sum().item()
            best = min(best, time.perf_counter() - start)
        return best

    return seconds(torch.bfloat16) * 1.2 < seconds(torch.float32)
