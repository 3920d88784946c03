"""The CPU engine of the decoder: OpenVINO, int8 weights, activations rounded to int8 in groups of a token.

The embedded backbone's weights are int8 to begin with and stay what they are; those of others are rounded,
each row of a matrix by itself. No two tokens share a scale, so who shares a pass changes last bits only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.engine.decoder_base import HEAD_TOKENS, CacheSize, DecoderEngine, Ints
from nlu.engine.exports import compiled, exported
from nlu.engine.rounding import GROUP
from nlu.prompt import DecoderPrompt, Floats
from nlu.shape import EncoderShape

if TYPE_CHECKING:
    import openvino

EXPORT = "1"  # part of the cache key: raise it when `decoder_graphs` changes
KERNELS = 400  # kept, of shapes of passes
LANES = 16  # tokens and positions are rounded up to so many: each shape needs kernels of its own


Bits = NDArray[np.int16]  # of bfloat16 numbers, for which numpy has no name


class BitsCache:
    """Keys and values of rows in bfloat16, laid out as the graphs read them; see `nlu.decoder_cache`.

    own, memory: (N, 2, slots, H, positions, K); seen: (slots, positions of the memory).
    """

    def __init__(self, shape: EncoderShape, size: CacheSize) -> None:
        heads = (shape.num_layers, 2, size.slots, shape.num_heads)
        self.own: Bits = np.empty((*heads, size.tokens, shape.d_kv), np.int16)
        self.memory: Bits = np.empty((*heads, size.memory, shape.d_kv), np.int16)
        self.seen = np.zeros((size.slots, size.memory), np.bool_)

    def put(self, slot: int, prompt: DecoderPrompt, states: Bits) -> None:
        """Begin a row with its prompt, and the (N, 2, L, H*K) keys and values of the encoder's states."""
        own, memory = self.own[:, :, slot], self.memory[:, :, slot]  # (N, 2, H, positions, K)
        before, beside = self._heads(_rounded_bits(prompt.own)), self._heads(_rounded_bits(prompt.memory))
        own[...] = 0  # whatever the last row left, or not a number would reach this one
        own[..., : prompt.length, :] = before
        found = np.concatenate([beside, self._heads(states)], axis=3)
        memory[..., : found.shape[3], :] = found
        memory[..., found.shape[3] :, :] = 0
        self.seen[slot] = np.arange(self.seen.shape[1]) < found.shape[3]

    def move(self, source: int, target: int) -> None:
        """Let a row sit in another slot."""
        self.own[:, :, target] = self.own[:, :, source]
        self.memory[:, :, target] = self.memory[:, :, source]
        self.seen[target] = self.seen[source]

    def _heads(self, vectors: Bits) -> Bits:
        """(N, 2, any, H*K) -> (N, 2, H, any, K)."""
        heads, size = self.own.shape[3], self.own.shape[5]
        return vectors.reshape(*vectors.shape[:3], heads, size).swapaxes(2, 3)


class OpenvinoDecoder(DecoderEngine[BitsCache]):
    """Runs the decoder in OpenVINO on the CPU; shapes are dynamic, nothing is compiled while serving."""

    name = "openvino"

    def __init__(self, backbone: Backbone, compute: Compute) -> None:
        directory = export_decoder(backbone)
        self._shape = backbone.decoder_shape
        self._embedding = backbone.embedding
        self._body = _request(directory / "body.xml", compute, "bf16")
        self._memory = _request(directory / "memory.xml", compute, "bf16")
        self._head = _request(directory / "head.xml", compute, "f32")  # bfloat16 scores often tie

    def cache(self, size: CacheSize) -> BitsCache:
        return BitsCache(self._shape, size)

    def keys_and_values(self, states: Floats) -> Bits:
        self._memory.infer([states], share_inputs=True)
        return _bits(self._memory.get_output_tensor(0))

    def likeliest(self, cache: BitsCache, token_ids: Ints, begin: Ints, counts: Ints) -> tuple[Ints, Floats]:
        states = self._read(cache, token_ids, begin, counts)
        blocks = np.array_split(states, -(-len(states) // HEAD_TOKENS))
        best, probabilities = zip(*map(self._best, blocks), strict=True)
        return np.concatenate(best), np.concatenate(probabilities)

    def _read(self, cache: BitsCache, token_ids: Ints, begin: Ints, counts: Ints) -> Floats:
        """Return the (R, D) hidden states of new tokens, and write these into the cache."""
        rows, longest = len(counts), int(counts.max())
        starts = np.cumsum(counts) - counts
        place = np.arange(longest)
        padded = starts[:, None] + np.minimum(place, counts[:, None] - 1)  # (B, T): the last one again
        into_tokens = np.flatnonzero(place < counts[:, None])
        spare = np.zeros(-len(token_ids) % LANES, np.int64)
        seen = cache.seen[:rows]
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
        own = cache.own.reshape(-1, *cache.own.shape[2:])
        for row, (start, count) in enumerate(zip(begin.tolist(), counts.tolist(), strict=True)):
            own[:, row, :, start : start + count] = new[:, row, :, :count]
        states: Floats = self._body.get_output_tensor(0).data[: len(token_ids)]
        return states

    def _best(self, states: Floats) -> tuple[Ints, Floats]:
        self._head.infer([states], share_inputs=True)
        best, probabilities = (self._head.get_output_tensor(place).data.copy() for place in range(2))
        return best, probabilities


def export_decoder(backbone: Backbone) -> Path:
    """Return the directory with the decoder's graphs; the first time, torch makes them.

    Raises:
        BackboneError: torch is needed and not installed, or the cache cannot be written.
    """

    def make(directory: Path) -> None:
        from nlu.engine.decoder_graphs import export

        export(backbone.decoder(), directory)

    return exported(backbone.cache / f"openvino-decoder-{backbone.fingerprint[:16]}-{EXPORT}", make)


def _request(path: Path, compute: Compute, hint: str) -> Any:
    return compiled(path, compute, hint=hint, kernels=KERNELS, group=GROUP).create_infer_request()


def _rounded(length: int) -> int:
    """Return a length that kernels are kept for, at least one."""
    return max(LANES, length + -length % LANES)


def _shared(vectors: Bits) -> openvino.Tensor:
    """Return contiguous bfloat16 vectors as OpenVINO takes them, without a copy."""
    import openvino

    return openvino.Tensor(vectors, list(vectors.shape), openvino.Type.bf16)


def _bits(tensor: openvino.Tensor) -> Bits:
    """Return a copy of bfloat16 numbers."""
    bits: Bits = tensor.data.view(np.int16).copy()
    return bits


def _rounded_bits(values: Floats) -> Bits:
    """Return finite numbers in bfloat16, to the nearest, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16).view(np.int16)
