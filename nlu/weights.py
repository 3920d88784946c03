"""Stored weights, known without torch: their fingerprint, and single matrices as numpy sees them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import safe_open

from nlu.half import Floats

if TYPE_CHECKING:
    from hashlib import _Hash

    from torch import Tensor

PART = 1 << 20  # bytes that are read at a time: what is mapped instead would count as memory in use
_TORCH_NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


@dataclass(frozen=True)
class Stored:
    """A tensor in a safetensors file; `dtype` is the format's own name, and `offset` is in bytes."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int

    def floats(self) -> Floats:
        """Return it as float32; one that is stored so stays on the disk until it is read."""
        if self.dtype == "F32":
            mapped = np.memmap(self.file, np.float32, "r", self.offset, (prod(self.shape),))
            return mapped.view(np.ndarray).reshape(self.shape)
        return self.tensor().float().numpy()

    def tensor(self) -> Tensor:
        """Return it as torch sees it, mapped."""
        with safe_open(self.file, framework="pt") as tensors:
            tensor: Tensor = tensors.get_tensor(self.name)
            return tensor

    def add_to(self, digest: _Hash) -> None:
        """Hash it, as `add_tensor` does."""
        dtype = f"torch.{_TORCH_NAMES.get(self.dtype, self.dtype.lower())}"
        add_tensor(digest, self.name, dtype, self.shape, self._parts())

    def _parts(self) -> Iterator[bytes]:
        with self.file.open("rb") as file:
            file.seek(self.offset)
            for start in range(0, self.size, PART):
                yield file.read(min(PART, self.size - start))


class Weights(Mapping[str, "Tensor"]):
    """Stored tensors by name; torch reads them, but their fingerprint and single matrices are had without."""

    def __init__(self, stored: Mapping[str, Stored]) -> None:
        self.stored = stored

    @classmethod
    def read(cls, file: Path) -> Weights:
        """Find what a safetensors file holds.

        Raises:
            OSError, SafetensorError: it is no such file.
        """
        return cls(_stored(file))

    def __getitem__(self, name: str) -> Tensor:
        return self.stored[name].tensor()

    def __iter__(self) -> Iterator[str]:
        return iter(self.stored)

    def __len__(self) -> int:
        return len(self.stored)

    def fingerprint(self, seed: str = "") -> str:
        """Return the SHA-256 over a seed and all names, types, shapes and bytes, ordered by name."""
        digest = hashlib.sha256(seed.encode())
        for name in sorted(self.stored):
            self.stored[name].add_to(digest)
        return digest.hexdigest()


def add_tensor(
    digest: _Hash, name: str, dtype: str, shape: tuple[int, ...], parts: Iterable[bytes | memoryview]
) -> None:
    """Hash a tensor's name, type as torch writes it, shape and bytes: what fingerprints are made of."""
    digest.update(f"{name} {dtype} {shape}\n".encode())
    for part in parts:
        digest.update(part)


def _stored(file: Path) -> dict[str, Stored]:
    with safe_open(file, framework="np"):
        pass  # checks names, types and places
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(size))
    header.pop("__metadata__", None)
    return {
        name: Stored(file, name, each["dtype"], tuple(each["shape"]), 8 + size + start, end - start)
        for name, each in header.items()
        for start, end in [each["data_offsets"]]
    }
