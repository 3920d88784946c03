"""The CPU engine of the decoder: OpenVINO, int8 weights, activations rounded to int8 in groups of a token.

The embedded backbone's weights are int8 to begin with and stay what they are; those of others are rounded,
each row of a matrix by itself. No two tokens share a scale, so who shares a pass changes last bits only.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nlu.cache import cached_directory
from nlu.compute import Compute
from nlu.decoder import Decoder
from nlu.decoder_cache import CacheSize, DecoderCache, Ints
from nlu.engine.decoder_base import HEAD_TOKENS, DecoderEngine
from nlu.engine.decoder_graphs import EXPORT, export
from nlu.prompt import Floats

if TYPE_CHECKING:
    import openvino

GROUP = 64  # activations that share a scale (benchmarks/RESULTS.md); one for a whole token is less exact
KERNELS = 400  # kept, of shapes of passes
LANES = 16  # tokens and positions are rounded up to so many: each shape needs kernels of its own


class OpenvinoDecoder(DecoderEngine):
    """Runs the decoder in OpenVINO on the CPU; shapes are dynamic, nothing is compiled while serving."""

    name = "openvino"

    def __init__(self, decoder: Decoder, compute: Compute, *, fingerprint: str, cache: Path) -> None:
        directory = cached_directory(
            cache / f"openvino-decoder-{fingerprint[:16]}-{EXPORT}", partial(export, decoder)
        )
        self._shape = decoder.shape
        self._embedding: Floats = decoder.embedding.weight.detach().numpy()
        self._body = _compile(directory / "body.xml", compute, "bf16")
        self._memory = _compile(directory / "memory.xml", compute, "bf16")
        self._head = _compile(directory / "head.xml", compute, "f32")  # bfloat16 scores often tie

    def cache(self, size: CacheSize) -> DecoderCache:
        return DecoderCache(self._shape, size, dtype=torch.bfloat16, device="cpu")

    def keys_and_values(self, states: Floats) -> Tensor:
        self._memory.infer([states], share_inputs=True)
        return torch.from_numpy(_bits(self._memory.get_output_tensor(0))).view(torch.bfloat16)

    def likeliest(
        self, cache: DecoderCache, token_ids: Ints, begin: Ints, counts: Ints
    ) -> tuple[Ints, Floats]:
        states = self._read(cache, token_ids, begin, counts)
        blocks = np.array_split(states, -(-len(states) // HEAD_TOKENS))
        best, probabilities = zip(*map(self._best, blocks), strict=True)
        return np.concatenate(best), np.concatenate(probabilities)

    def _read(self, cache: DecoderCache, token_ids: Ints, begin: Ints, counts: Ints) -> Floats:
        """Return the (R, D) hidden states of new tokens, and write these into the cache."""
        rows, longest = len(counts), int(counts.max())
        starts = np.cumsum(counts) - counts
        place = np.arange(longest)
        padded = starts[:, None] + np.minimum(place, counts[:, None] - 1)  # (B, T): the last one again
        into_tokens = np.flatnonzero(place < counts[:, None])
        spare = np.zeros(-len(token_ids) % LANES, np.int64)
        seen = cache.seen[:rows].numpy()
        seen = seen[:, : _rounded(int(seen.sum(axis=1).max()))]
        inputs = [
            self._embedding[np.concatenate([token_ids, spare])],
            padded,
            np.concatenate([into_tokens, spare]),
            begin,
            np.arange(min(_rounded(int(begin.max())), cache.own.shape[4])),
            np.ascontiguousarray(seen),
            *(_shared(layer[kind, :rows]) for layer in cache.own for kind in range(2)),
            *(_shared(layer[kind, :rows]) for layer in cache.memory for kind in range(2)),
        ]
        self._body.infer(inputs, share_inputs=True)
        new = _bits(self._body.get_output_tensor(1))  # (N*2, B, H, T, K)
        own = cache.own.view(torch.int16).flatten(0, 1).numpy()
        for row, (start, count) in enumerate(zip(begin.tolist(), counts.tolist(), strict=True)):
            own[:, row, :, start : start + count] = new[:, row, :, :count]
        states: Floats = self._body.get_output_tensor(0).data[: len(token_ids)]
        return states

    def _best(self, states: Floats) -> tuple[Ints, Floats]:
        self._head.infer([states], share_inputs=True)
        best, probabilities = (self._head.get_output_tensor(place).data.copy() for place in range(2))
        return best, probabilities


def _compile(path: Path, compute: Compute, precision: str) -> openvino.InferRequest:
    import openvino

    options = {
        "INFERENCE_NUM_THREADS": compute.threads,
        "PERFORMANCE_HINT": "LATENCY",
        "CPU_RUNTIME_CACHE_CAPACITY": str(KERNELS),
        "INFERENCE_PRECISION_HINT": precision,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": str(GROUP),
    }
    return openvino.Core().compile_model(path, "CPU", options).create_infer_request()


def _rounded(length: int) -> int:
    """Return a length that kernels are kept for, at least one."""
    return max(LANES, length + -length % LANES)


def _shared(vectors: Tensor) -> openvino.Tensor:
    """Return contiguous bfloat16 vectors as OpenVINO takes them, without a copy."""
    import openvino

    return openvino.Tensor(vectors.view(torch.int16).numpy(), list(vectors.shape), openvino.Type.bf16)


def _bits(tensor: openvino.Tensor) -> NDArray[np.int16]:
    """Return a copy of bfloat16 numbers, for which numpy has no name, as the integers of the same bits."""
    bits: NDArray[np.int16] = tensor.data.view(np.int16).copy()
    return bits
