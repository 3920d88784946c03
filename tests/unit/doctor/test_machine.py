from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from nlu.compute import Precision
from nlu.server_settings import ServerSettings
from training.doctor import machine
from training.doctor.finding import State
from training.doctor.machine import check_cpu, check_disk, check_threads

MakeSettings: TypeAlias = Callable[..., ServerSettings]
Usage = namedtuple("Usage", ["total", "used", "free"])

ZEN4 = "processor : 0\nflags\t\t: fpu avx2 avx512_bf16 avx512_vnni\n\nprocessor : 1\nflags : other\n"
OLD = "processor : 0\nflags\t\t: fpu avx2\n"
GRAVITON = "processor : 0\nFeatures : fp asimd bf16\n"


@pytest.mark.parametrize(
    ("info", "precision", "faster", "state", "said"),
    [
        (ZEN4, "auto", True, State.OK, "AVX2, AVX512-VNNI, AVX512-BF16: engine openvino, cpu, int8"),
        (ZEN4, "auto", False, State.WARNING, "float32"),
        (ZEN4, "float32", False, State.OK, "float32"),
        (OLD, "auto", False, State.OK, "AVX2: engine openvino, cpu, float32"),
        (OLD, "bfloat16", False, State.WARNING, "bfloat16"),
        (None, "int8", False, State.WARNING, "no extensions: engine openvino, cpu, int8"),
        (GRAVITON, "bfloat16", False, State.OK, "BF16: "),
        (None, "float32", False, State.OK, "no extensions"),
    ],
)
def test_what_the_cpu_has_and_what_is_made_of_it(
    make_settings: MakeSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    info: str | None,
    precision: str,
    faster: bool,
    state: State,
    said: str,
) -> None:
    monkeypatch.setattr(machine, "CPU_INFO", tmp_path / "cpuinfo")
    fastest = Precision.INT8 if faster else Precision.FLOAT32
    monkeypatch.setattr("nlu.engine.speed.fastest_in_openvino", lambda compute: fastest)
    if info is not None:
        (tmp_path / "cpuinfo").write_text(info)

    [found] = check_cpu(make_settings(device="cpu", precision=precision))

    assert (found.state, said in found.found) == (state, True), found


@pytest.mark.parametrize(("load", "state"), [(0.0, State.OK), (1000.0, State.WARNING)])
def test_a_machine_that_is_busy(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, load: float, state: State
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))

    [found] = check_threads(make_settings())

    assert (found.state, found.found.startswith("1 of ")) == (state, True)


@pytest.mark.parametrize(
    ("free", "state"), [(5 << 30, State.OK), (200 << 20, State.WARNING), (1 << 20, State.PROBLEM)]
)
def test_a_disk_that_gets_full(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, free: int, state: State
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10 << 30, 0, free))

    found = list(check_disk(make_settings()))

    assert [each.state for each in found] == [state] * 2  # of the cache, and of the catalog
    assert not list(check_disk(make_settings(catalog="postgresql://nobody@nowhere/nothing")))[1:]
