"""Every target on mutations of its seeds; what fuzzing (`python -m tests.fuzz`) has found stays found."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
FOUND = [
    ("peft", b'{"a":' * 2000),
    ("skill.intent", b'{"scale": ' + b"9" * 400 + TARGETS["skill.intent"].seeds[0].partition(b"20.0")[2]),
    ("skill.slots", TARGETS["skill.slots"].seeds[0].replace(b'"person"', b'"\\ud800"')),
]
SPLICES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from(
        [
            b"-1",
            b"1e999",
            b"9" * 400,
            b"null",
            b"[]",
            b"{}",
            b'""',
            b"[" * 2000,
            b"\xed\xa0\x80",
            b"\0",
            b"\xff",
        ]
    ),
)


@st.composite
def mutations(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with some of its bytes replaced, a few times."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 1, 2, 4, 8, 1000])))
        data = data[:start] + draw(SPLICES) + data[end:]
    return data


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_what_is_wrong_is_refused_and_breaks_nothing(name: str, data: st.DataObject) -> None:
    TARGETS[name].run(data.draw(mutations(TARGETS[name].seeds)))


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_fuzzing_has_found_is_refused(name: str, data: bytes) -> None:
    TARGETS[name].run(data)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="it has no wheel for this Python")
def test_the_fuzzer_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "offsets", "-runs=200", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert "Done 200 runs" in done.stderr
