"""What the machine can do: instructions of the CPU, threads, and room on its disks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nlu.cache import default_cache
from nlu.compute import Precision, available_cpus
from nlu.engine.choice import choose_for_serving, engine_name
from nlu.server_settings import ServerSettings
from storage.database import Database
from training.doctor.finding import Finding, ok, problem, warning

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16 = {"avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX-BF16", "bf16": "BF16"}  # the last one on ARM
INT8 = {"avx2": "AVX2", "avx512_vnni": "AVX512-VNNI", "avx_vnni": "AVX-VNNI", "amx_int8": "AMX-INT8"}
LOW_BYTES = 1 << 30  # a backbone takes 400 MB, a checkpoint of a training some
FULL_BYTES = 100 << 20


def check_cpu(settings: ServerSettings) -> Iterator[Finding]:
    """Which instructions there are, and what a server would choose with them."""
    flags = cpu_flags()
    compute = choose_for_serving(settings.device, settings.precision, settings.threads, settings.engine)
    names = [name for flag, name in (INT8 | BFLOAT16).items() if flag in flags]
    fast = compute.device != "cpu" or bool(flags & set(BFLOAT16))
    gains = {Precision.BFLOAT16: fast, Precision.INT8: bool(flags & set(INT8))}
    engine = engine_name(compute, settings.engine)
    found = f"{', '.join(names) or 'no extensions'}: engine {engine}, {compute.device}, {compute.precision}"
    if not gains.get(compute.precision, True):
        remedy = f"{compute.precision} is emulated here, and slow: leave --precision at auto"
        yield warning("cpu", found, remedy)
    elif compute.precision is Precision.FLOAT32 and fast and settings.precision == "auto":
        yield warning(
            "cpu", found, "it measured no gain, maybe as the machine is busy: --precision int8 settles it"
        )
    else:
        yield ok("cpu", found)


def cpu_flags() -> set[str]:
    """Return what Linux calls the CPU's instruction sets; none where there is no Linux."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        return set()
    found = [line.partition(":")[2] for line in lines if line.lower().startswith(("flags", "features"))]
    return set(found[0].split()) if found else set()


def check_threads(settings: ServerSettings) -> Iterator[Finding]:
    """How many threads a server would take, of how many CPUs, and who else is at them."""
    available, cores = available_cpus(), os.cpu_count() or 1
    load = os.getloadavg()[0]
    found = f"{settings.threads or available} of {available} CPUs ({cores} in the machine), load {load:.1f}"
    if load > cores:
        yield warning("threads", found, "more wants to run than there are CPUs: answers are late")
    else:
        yield ok("threads", found)


def check_disk(settings: ServerSettings) -> Iterator[Finding]:
    """How much room there is where a server and a worker write."""
    folders = {"cache": settings.cache or default_cache()}
    catalog = Database(settings.catalog).path
    if catalog is not None:
        folders["catalog"] = catalog.parent
    for name, folder in folders.items():
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        free = shutil.disk_usage(there).free
        found = f"{free / (1 << 30):.1f} GiB free for the {name} in {folder}"
        if free > LOW_BYTES:
            yield ok("disk", found)
        else:
            worse = problem if free < FULL_BYTES else warning
            yield worse("disk", found, "make room, or name another folder")
