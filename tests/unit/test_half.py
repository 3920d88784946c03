from __future__ import annotations

import numpy as np
import pytest

from nlu.half import Halves, widen_into, widened

ALL = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FINITE = ALL[np.isfinite(ALL)]


def test_every_finite_value_is_widened_to_the_last_bit() -> None:
    assert np.array_equal(widened(FINITE).view(np.uint32), FINITE.astype(np.float32).view(np.uint32))


def test_what_is_wide_is_not_copied() -> None:
    wide = np.ones(3, np.float32)
    assert widened(wide) is wide


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_widening_into_a_part_leaves_the_rest(dtype: type[np.float16 | np.float32]) -> None:
    whole = np.full((2, 5, 3), 7, np.float32)
    values: Halves = np.random.default_rng(0).normal(size=(2, 2, 3)).astype(dtype)
    widen_into(whole[:, 1:3], values)
    assert np.array_equal(whole[:, 1:3], values.astype(np.float32))
    assert (whole[:, [0, 3, 4]] == 7).all()
