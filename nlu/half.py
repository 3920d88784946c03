"""Half precision at rest: what a skill has stored stays so in memory, and is widened where it is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Halves = NDArray[np.float16 | np.float32]  # trained vectors: in half precision as they are stored, or fresh

_SHIFT = 13  # float16 has 10 bits of fraction, float32 has 23
_KEPT = np.int32(-0x70002000)  # sign, exponent and fraction; shifting also copies the sign into bits 28 to 30
_BIAS = np.float32(2.0**112)  # exponents of float32 are counted from 127, those of float16 from 15


def widened(values: Halves) -> Floats:
    """Return finite values as float32; exact, and several times as fast as numpy's own conversion."""
    if values.dtype == np.float32:
        return values  # type: ignore[return-value]
    wide = np.empty(values.shape, np.float32)
    widen_into(wide, values)
    return wide


def widen_into(wide: Floats, values: Halves) -> None:
    """Write finite values into float32 of the same shape."""
    if values.dtype == np.float32:
        wide[...] = values
        return
    bits = wide.view(np.int32)
    bits[...] = values.view(np.int16)
    bits <<= _SHIFT
    bits &= _KEPT
    wide *= _BIAS
