"""The decoder's graphs for OpenVINO: traced from torch, their matrices in int8, written once.

Shapes: B rows, T tokens of the row that reads most, R tokens of all, S positions of the past, M of the
memory, H heads, K key size, D model size, N layers.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.decoder import Decoder
from nlu.engine.rounding import round_weights

FUTURE = 1 << 20  # a position that no query reaches
PART = 128  # scores that the search for the likeliest takes as one


def export(decoder: Decoder, directory: Path) -> None:
    """Write `body.xml` (tokens to hidden states), `head.xml` (to the likeliest next) and `memory.xml`."""
    import openvino

    shape = decoder.shape
    rows, new, past, memory = 2, 3, 9, 7
    cached = [torch.zeros(rows, shape.num_heads, length, shape.d_kv) for length in (12, 10)]
    ints = torch.int64
    body = (
        torch.zeros(5, shape.d_model),
        torch.zeros(rows, new, dtype=ints),
        torch.zeros(5, dtype=ints),
        torch.zeros(rows, dtype=ints),
        torch.arange(past),
        torch.ones(rows, memory, dtype=torch.bool),
        *(each.bfloat16() for each in cached for _ in range(2 * shape.num_layers)),
    )
    states = torch.zeros(5, shape.d_model)
    width, heads = shape.d_model, [-1, shape.num_heads, -1, shape.d_kv]
    any_body = [[-1, width], [-1, -1], [-1], [-1], [-1], [-1, -1], *[heads] * (4 * shape.num_layers)]
    graphs: dict[str, tuple[nn.Module, tuple[Tensor, ...], list[list[int]]]] = {
        "body": (_Body(decoder), body, any_body),
        "head": (_Head(decoder), (states,), [[-1, width]]),
        "memory": (_Memory(decoder), (states,), [[-1, width]]),
    }
    for name, (module, example, sizes) in graphs.items():
        with warnings.catch_warnings():  # OpenVINO traces; torch would rather have it exported
            warnings.simplefilter("ignore")
            model = openvino.convert_model(module.eval(), example_input=example)
        model.reshape({index: openvino.PartialShape(each) for index, each in enumerate(sizes)})
        round_weights(model)
        openvino.save_model(model, directory / f"{name}.xml", compress_to_fp16=False)


class _Body(nn.Module):
    """All layers: from the embeddings of new tokens to hidden states, and their keys and values."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        embeddings: Tensor,
        into_rows: Tensor,
        into_tokens: Tensor,
        begin: Tensor,
        past: Tensor,
        seen: Tensor,
        *cached: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Read new tokens.

        Args:
            embeddings: (R, D).
            into_rows: (B, T) the token at each place of a row.
            into_tokens: (R,) the place of each token, of B*T.
            begin: (B,) each row's position.
            past: (S,) the positions from 0 to the furthest row's.
            seen: (B, M) whether there is memory.
            cached: keys and values of the past, layer by layer, each (B, H, any, K); then of the memory.

        Returns:
            (R, D) hidden states and (N*2, B, H, T, K) keys and values, layer by layer.
        """
        queries = begin[:, None] + torch.arange(into_rows.shape[1])
        keys = past.expand(begin.shape[0], -1).masked_fill(past >= begin[:, None], FUTURE)
        bias = [self.decoder.attention_bias(queries, each) for each in (keys, queries)]
        attention = _Cached(
            into_rows, into_tokens, torch.cat(bias, dim=3), self.decoder.memory_bias(seen), cached
        )
        hidden = self.decoder.read_embedded(embeddings, attention)
        return hidden, torch.stack(attention.read).bfloat16()


class _Cached:
    """Attention to a past and a memory that are given as they lie in a cache."""

    def __init__(
        self,
        into_rows: Tensor,
        into_tokens: Tensor,
        bias: Tensor,
        memory_bias: Tensor,
        cached: tuple[Tensor, ...],
    ) -> None:
        self._into_rows, self._into_tokens = into_rows, into_tokens
        self._bias, self._memory_bias = bias, memory_bias
        self._past, self._memory = cached[: len(cached) // 2], cached[len(cached) // 2 :]
        self._heads, self._size = cached[0].shape[1], cached[0].shape[3]
        self.read: list[Tensor] = []  # (B, H, T, K) keys, then values, layer by layer

    def attend(self, layer: int, qkv: Tensor) -> Tensor:
        query, *new = (self._split(each) for each in qkv[self._into_rows].chunk(3, dim=-1))
        self.read += new
        length = self._bias.shape[3] - self._bias.shape[2]
        past = self._past[2 * layer : 2 * layer + 2]
        seen = [torch.cat([each[:, :, :length].float(), kv], 2) for each, kv in zip(past, new, strict=True)]
        return self._attended(query, seen, self._bias)

    def recall(self, layer: int, query: Tensor) -> Tensor:
        length = self._memory_bias.shape[3]
        memory = [each[:, :, :length].float() for each in self._memory[2 * layer : 2 * layer + 2]]
        return self._attended(self._split(query[self._into_rows]), memory, self._memory_bias)

    def _attended(self, query: Tensor, kv: list[Tensor], bias: Tensor) -> Tensor:
        attended = F.scaled_dot_product_attention(query, kv[0], kv[1], attn_mask=bias, scale=1.0)
        return attended.transpose(1, 2).flatten(2).flatten(0, 1)[self._into_tokens]

    def _split(self, vectors: Tensor) -> Tensor:
        """(B, T, H*K) -> (B, H, T, K)."""
        heads: Tensor = vectors.unflatten(-1, (self._heads, self._size))  # type: ignore[no-untyped-call]
        return heads.transpose(1, 2)


class _Head(nn.Module):
    """From (R, D) hidden states to (R,) likeliest tokens, the first of equals, and their probabilities."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.scores = decoder.lm_head
        self.part = math.gcd(decoder.shape.vocab_size, PART)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.scores(states)
        parts = scores.unflatten(-1, (-1, self.part))
        highest = parts.amax(dim=-1)
        part = highest.argmax(dim=-1, keepdim=True)
        inside = parts.gather(1, part[:, :, None].expand(-1, -1, self.part))[:, 0].argmax(dim=-1)
        above = (scores - highest.amax(dim=-1, keepdim=True)).exp().sum(dim=-1)
        return part[:, 0] * self.part + inside, 1 / above


class _Memory(nn.Module):
    """From the encoder's (L, D) states to the (N, 2, L, H*K) keys and values of a memory."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, states: Tensor) -> Tensor:
        return self.decoder.keys_and_values(states[None])[0].bfloat16()
