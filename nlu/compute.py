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
    settled, where = Precision(precision), _device(device)
    threads = threads or available
    torch.set_num_threads(threads)
    if settled is Precision.AUTO:
        settled = Precision.BFLOAT16 if bfloat16_is_faster(where) else Precision.FLOAT32
    return Compute(str(where), settled, threads)


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


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device(name)
    kind, _, index = name.partition(":")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if kind != "cuda" or (":" in name and not index.isdecimal()):
        raise InputError(f"device {name!r} does not exist; use auto, cpu, cuda or cuda:N", field="device")
    if int(index or 0) >= found:
        raise InputError(
            f"device {name!r} asked, but torch sees {found} CUDA devices; use --device cpu", field="device"
        )
    return torch.device(name)


def bfloat16_is_faster(device: torch.device) -> bool:
    """Measure a matrix product of one utterance's size in both precisions; 0.2 s where bfloat16 is emulated.

    CPUs without bfloat16 instructions emulate them slowly; a margin of 20 % keeps noise from deciding.
    """

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
