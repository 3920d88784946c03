from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors import SafetensorError

from nlu.cache import cached_directory, default_cache
from skills.errors import BackboneError

HALF_WRITTEN = """
import sys, time
from pathlib import Path
from nlu.cache import cached_directory

def make(directory):
    (directory / "weights").write_text("ha")
    print("writing", flush=True)
    sys.stdin.read()

cached_directory(Path(sys.argv[1]), make)
"""


def write(directory: Path) -> None:
    (directory / "weights").write_text("whole")


def test_makes_the_directory_once(tmp_path: Path) -> None:
    target, made = tmp_path / "new" / "model", []

    def make(directory: Path) -> None:
        made.append(directory)
        write(directory)

    assert cached_directory(target, make) == cached_directory(target, make) == target
    assert (target / "weights").read_text() == "whole"
    assert len(made) == 1


def test_two_at_once_both_get_the_one_directory(tmp_path: Path) -> None:
    both_are_writing = threading.Barrier(2, timeout=60)

    def make(directory: Path) -> None:
        write(directory)
        both_are_writing.wait()

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: cached_directory(tmp_path / "model", make), range(2)))
    assert found == [tmp_path / "model"] * 2
    assert (tmp_path / "model" / "weights").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_process_killed_midway_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with subprocess.Popen(
        [sys.executable, "-c", HALF_WRITTEN, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "writing\n"
        process.kill()
    assert not target.exists()
    assert (cached_directory(target, write) / "weights").read_text() == "whole"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, BackboneError])
def test_an_interrupted_make_leaves_nothing(tmp_path: Path, interruption: type[BaseException]) -> None:
    def make(directory: Path) -> None:
        (directory / "weights").write_text("ha")
        raise interruption

    with pytest.raises(interruption):
        cached_directory(tmp_path / "model", make)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [OSError("No space left on device"), SafetensorError("No space left")])
def test_a_full_disk_is_reported_with_the_remedy(tmp_path: Path, error: Exception) -> None:
    def make(directory: Path) -> None:
        raise error

    with pytest.raises(BackboneError, match=r"model: No space left.*SOFTSPOKEN_CACHE_DIR"):
        cached_directory(tmp_path / "model", make)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_below_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BackboneError, match="--cache-dir"):
        cached_directory(tmp_path / "file" / "model", write)


def test_the_default_is_in_the_home_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache() == tmp_path / ".cache" / "softspoken"
