"""The tensors of a stored skill version, looked at before use."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlu.half import Floats, Halves

Tensors = dict[str, NDArray[np.generic]]


def check_finite(tensors: Tensors) -> None:
    """Check every value.

    Raises:
        ValueError: one is not finite; names the tensor.
    """
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
            raise ValueError(f"{name} has values that are not finite")


def floats(tensors: Tensors, name: str, expected: tuple[int | None, ...]) -> Floats:
    """Return a tensor as float32 after a look at its shape; None in `expected` fits any size above 0.

    Raises:
        KeyError: there is no such tensor.
        ValueError: it has another shape.
    """
    return _shaped(tensors, name, expected).astype(np.float32)


def halves(tensors: Tensors, name: str, expected: tuple[int | None, ...]) -> Halves:
    """Return a tensor in half precision if it is stored so, otherwise as `floats`."""
    tensor = _shaped(tensors, name, expected)
    return tensor if tensor.dtype == np.float16 else tensor.astype(np.float32)  # type: ignore[return-value]


def _shaped(tensors: Tensors, name: str, expected: tuple[int | None, ...]) -> NDArray[np.generic]:
    tensor = tensors[name]
    fits = len(tensor.shape) == len(expected) and all(
        found > 0 if size is None else found == size
        for size, found in zip(expected, tensor.shape, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} has shape {tensor.shape}, expected {expected}")
    return tensor


def number(settings: dict[str, Any], name: str, *, positive: bool = False) -> float:
    """Return a head's setting.

    Raises:
        KeyError: there is no such setting.
        TypeError, ValueError: it is not a finite number, or not a positive one.
    """
    try:
        value = float(settings[name])
    except OverflowError as error:  # JSON has integers of any size
        raise ValueError(f"its head's {name} is too large") from error
    if not math.isfinite(value) or (positive and value <= 0):
        raise ValueError(f"its head's {name} is {value}")
    return value
