from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nlu import compute
from nlu.compute import Compute, Precision, available_cpus, choose
from skills.errors import InputError


@pytest.fixture(autouse=True)
def torch_threads() -> Iterator[None]:
    """`choose` sets torch's thread count for the whole process: put it back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "DRIVERS", ("/",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("content", "cpus"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2.0),
        ("50000 100000\n", 0.5),
        ("150000 100000", 1.5),
        ("", None),
        ("200000", None),
        ("many 100000", None),
        ("200000 0", None),
    ],
)
def test_reads_a_cgroup_quota(tmp_path: Path, content: str, cpus: float | None) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert compute._cgroup_quota(tmp_path / "cpu.max") == cpus


def test_no_cgroup_file_is_no_quota(tmp_path: Path) -> None:
    assert compute._cgroup_quota(tmp_path / "cpu.max") is None


@pytest.mark.parametrize(
    ("cpus", "quota", "available"),
    [(8, None, 8), (8, 2.0, 2), (8, 1.5, 1), (8, 0.5, 1), (2, 16.0, 2), (1, None, 1)],
)
def test_never_more_cpus_than_affinity_and_quota_allow(
    monkeypatch: pytest.MonkeyPatch, cpus: int, quota: float | None, available: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cpus)), raising=False)
    monkeypatch.setattr(compute, "_cgroup_quota", lambda _: quota)
    assert available_cpus() == available


def test_takes_what_is_there(monkeypatch: pytest.MonkeyPatch, no_gpu: None) -> None:
    monkeypatch.setattr(compute, "available_cpus", lambda: 1)
    assert choose(precision="float32") == Compute("cpu", Precision.FLOAT32, 1)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("threads", [-1, 3, 1000])
def test_refuses_threads_that_are_not_there(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(compute, "available_cpus", lambda: 2)
    with pytest.raises(InputError, match=f"threads is {threads}.* 2 CPUs") as caught:
        choose(threads=threads)
    assert caught.value.field == "threads"


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_refuses_cuda_where_there_is_none(no_gpu: None, device: str) -> None:
    with pytest.raises(InputError, match=rf"{device}.* 0 CUDA devices; use --device cpu") as caught:
        choose(device, threads=1)
    assert caught.value.field == "device"


@pytest.mark.parametrize("device", ["cuda:1", "cuda:", "cuda:x", "cuda:-1", "gpu", "mps", "", "cpu:0"])
def test_refuses_devices_that_do_not_exist(one_gpu: None, device: str) -> None:
    with pytest.raises(InputError) as caught:
        choose(device, "float32", threads=1)
    assert caught.value.field == "device"


@pytest.mark.parametrize(("asked", "device"), [("auto", "cuda"), ("cuda:0", "cuda:0"), ("cpu", "cpu")])
def test_takes_cuda_where_there_is_one(one_gpu: None, asked: str, device: str) -> None:
    assert choose(asked, "bfloat16", threads=1).device == device


def test_refuses_an_unknown_precision() -> None:
    with pytest.raises(InputError, match=r"'int4'.*auto, float32, bfloat16, int8") as caught:
        choose(precision="int4", threads=1)
    assert caught.value.field == "precision"


def test_a_refused_choice_leaves_the_threads_alone(no_gpu: None) -> None:
    before = torch.get_num_threads()
    with pytest.raises(InputError):
        choose("cuda", threads=available_cpus())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("faster", "precision", "dtype"),
    [(True, Precision.BFLOAT16, torch.bfloat16), (False, Precision.FLOAT32, torch.float32)],
)
def test_auto_takes_the_precision_that_was_faster(
    monkeypatch: pytest.MonkeyPatch, no_gpu: None, faster: bool, precision: Precision, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(compute, "bfloat16_is_faster", lambda device: faster)
    settled = choose(threads=1)
    assert settled.precision is precision
    assert settled.dtype is dtype


@pytest.mark.parametrize(
    ("bfloat16_seconds", "float32_seconds", "faster"),
    [(1.0, 3.0, True), (1.0, 1.1, False), (2.0, 1.0, False)],
)
def test_bfloat16_must_win_by_a_margin(
    monkeypatch: pytest.MonkeyPatch, bfloat16_seconds: float, float32_seconds: float, faster: bool
) -> None:
    clock = 0.0

    def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        nonlocal clock
        clock += bfloat16_seconds if left.dtype is torch.bfloat16 else float32_seconds
        return left

    monkeypatch.setattr(torch.Tensor, "__matmul__", product)
    monkeypatch.setattr("time.perf_counter", lambda: clock)
    assert compute.bfloat16_is_faster("cpu") is faster
