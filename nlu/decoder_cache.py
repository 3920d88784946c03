"""What the decoder has read of the rows in hand: each token has its place, so nothing moves as rows grow.

Rows sit in slots, those in use first. A token that was read in vain leaves its keys and values behind; they
lie ahead of every query, where none may look, until the right token is written over them.

Shapes: B rows in use, R tokens of a pass (of all rows, without padding), T those of the row that reads most,
S positions, M memory positions, P prompt vectors, H heads, K key size, N layers.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nlu.decoder import Decoder
from nlu.engine.decoder_base import CacheSize, Ints
from nlu.prompt import DecoderPrompt
from nlu.shape import EncoderShape


class DecoderCache:
    """The cache of the decoder in torch."""

    def __init__(
        self, shape: EncoderShape, size: CacheSize, *, dtype: torch.dtype, device: str | torch.device
    ) -> None:
        heads = (shape.num_layers, 2, size.slots, shape.num_heads)
        self.slots = size.slots
        self.own = torch.empty(*heads, size.tokens, shape.d_kv, dtype=dtype, device=device)
        self.memory = torch.empty(*heads, size.memory, shape.d_kv, dtype=dtype, device=device)
        self.seen = torch.zeros(size.slots, size.memory, dtype=torch.bool, device=device)

    def put(self, slot: int, prompt: DecoderPrompt, states: Tensor) -> None:
        """Begin a row with its prompt, and the (N, 2, L, H*K) keys and values of the encoder's states."""
        own = torch.from_numpy(prompt.own)
        self.own[:, :, slot] = 0  # whatever the last row left, or not a number would reach this one
        self.own[:, :, slot, :, : own.shape[2]] = self._heads(own)
        end = 0
        for part in (torch.from_numpy(prompt.memory), states):
            start, end = end, end + part.shape[2]
            self.memory[:, :, slot, :, start:end] = self._heads(part)
        self.memory[:, :, slot, :, end:] = 0
        self.seen[slot] = torch.arange(self.seen.shape[1], device=self.seen.device) < end

    def move(self, source: int, target: int) -> None:
        """Let a row sit in another slot."""
        self.own[:, :, target] = self.own[:, :, source]
        self.memory[:, :, target] = self.memory[:, :, source]
        self.seen[target] = self.seen[source]

    def _heads(self, vectors: Tensor) -> Tensor:
        """(N, 2, any, H*K) -> (N, 2, H, any, K)."""
        layers, two, length, _ = vectors.shape
        return vectors.view(layers, two, length, *self.own.shape[3::2]).transpose(2, 3)


class Reading:
    """One pass of the decoder over new tokens of the rows in the first slots.

    Attention is computed head by head over whole rows, (B*H, T, K); all else over the R tokens alone. So the
    tokens of a pass are gathered into rows, and what they attended to back into tokens.
    """

    def __init__(self, decoder: Decoder, cache: DecoderCache, begin: Ints, counts: Ints) -> None:
        """Read `counts` (B,) tokens, at least one each, from the positions `begin` (B,) on."""
        self._cache = cache
        heads, positions = cache.own.shape[3], cache.own.shape[4]
        ends = np.cumsum(counts)
        row = np.repeat(np.arange(len(counts)), counts)  # (R,)
        place = np.arange(ends[-1]) - (ends - counts)[row]  # (R,) in its row
        head = np.arange(heads)
        steps = np.arange(counts.max())
        padded = np.minimum((ends - counts)[:, None] + steps, ends[-1] - 1)  # (B, T) tokens
        self._into_rows = self._index(padded[:, None, :] * heads + head[:, None])  # (B, H, T)
        self._into_tokens = self._index((row[:, None] * heads + head) * len(steps) + place[:, None])
        slot = np.arange(2)[:, None] * cache.slots + row[:, None, None]  # (R, 2, 1) of keys, of values
        self._write = self._index((slot * heads + head) * positions + (begin[row] + place)[:, None, None])
        self._length = int((begin + counts).max())
        queries = torch.from_numpy(begin[:, None] + steps).to(cache.seen.device)
        keys = torch.arange(self._length, device=cache.seen.device).expand(len(counts), -1)
        self._bias = decoder.attention_bias(queries, keys).flatten(0, 1)  # (B*H, T, S)
        seen = decoder.memory_bias(cache.seen[: len(counts)])
        self._memory_bias = seen.expand(-1, heads, len(steps), -1).flatten(0, 1)  # (B*H, T, M)

    def attend(self, layer: int, qkv: Tensor) -> Tensor:
        """Write keys and values of (R, 3*H*K) down, and return what the queries attended to, (R, H*K)."""
        own = self._cache.own[layer]
        width = qkv.shape[1] // 3
        query, kv = qkv[:, :width], qkv[:, width:]
        own.view(-1, own.shape[-1]).index_copy_(0, self._write, kv.reshape(-1, own.shape[-1]))
        return self._attended(query, own[:, :, :, : self._length], self._bias)

    def recall(self, layer: int, query: Tensor) -> Tensor:
        """Return what the (R, H*K) queries found in the memory, (R, H*K)."""
        return self._attended(query, self._cache.memory[layer], self._memory_bias)

    def _attended(self, query: Tensor, kv: Tensor, bias: Tensor) -> Tensor:
        batch, steps, _ = bias.shape
        keys, values = kv[:, : batch // kv.shape[2]].flatten(1, 2)  # (B*H, S, K)
        queries = query.reshape(-1, kv.shape[-1]).index_select(0, self._into_rows).view(batch, steps, -1)
        weights = torch.baddbmm(bias, queries, keys.transpose(1, 2)).softmax(dim=-1)
        attended = torch.bmm(weights, values).view(batch * steps, -1)
        return attended.index_select(0, self._into_tokens).view(query.shape)

    def _index(self, places: Ints) -> Tensor:
        return torch.from_numpy(places.reshape(-1)).to(self._cache.seen.device)
