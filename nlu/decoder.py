"""The T5 decoder, written out so that every row of a batch can carry its own deep prompt and its own past.

transformers' `generate` gives one prompt to a whole batch and moves all rows on by one token at a time. Here
each key has a position of its own, so rows of different skills, and of different lengths, share a step.
Equal to transformers' decoder within 1e-4, with the prompt as a past of P positions, as PEFT's prefix
tuning gives it to T5's decoder.

Shapes: B rows, T new tokens, S keys of the past (prompt included), M memory positions (prompt included),
P prompt vectors, H heads, K key size, D model size, N layers, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from nlu.encoder import Block, RMSNorm, distance_buckets
from nlu.shape import EncoderShape

Attend = Callable[[Tensor], Tensor]


class Attention(Protocol):
    """What the tokens of one reading attend to; layer by layer, as `DecoderLayer` calls it."""

    def attend(self, layer: int, qkv: Tensor) -> Tensor:
        """(..., 3*H*K) -> (..., H*K)."""

    def recall(self, layer: int, query: Tensor) -> Tensor:
        """(..., H*K) -> (..., H*K)."""


class Decoder(nn.Module):
    """T5 v1.1 decoder with its language-model head; no dropout, ever. `shape.num_layers` is the decoder's."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocab_size, shape.d_model)
        self.position_bias = nn.Embedding(shape.num_buckets, shape.num_heads)
        self.layers = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.num_layers))
        self.final_norm = RMSNorm(shape.d_model, shape.epsilon)
        self.lm_head = nn.Linear(shape.d_model, shape.vocab_size, bias=False)

    def remember(self, states: Tensor, prompt: Tensor) -> Tensor:
        """Return the memory that every step attends to: keys and values of what the encoder said.

        Args:
            states: (B, L, D) hidden states of the encoder.
            prompt: (B, N, 2, P, H*K) vectors beside them.

        Returns:
            (B, N, 2, P+L, H*K).
        """
        memory = self.keys_and_values(states)
        return torch.cat([prompt.to(memory.dtype), memory], dim=3)

    def keys_and_values(self, states: Tensor) -> Tensor:
        """Return the (B, N, 2, L, H*K) keys and values of the encoder's (B, L, D) states."""
        layers = cast(Iterable[DecoderLayer], self.layers)
        return torch.stack([layer.read(states) for layer in layers], dim=1)

    def forward(
        self, token_ids: Tensor, past: Tensor, bias: Tensor, memory: Tensor, memory_bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Read new tokens after a past.

        Args:
            token_ids: (B, T).
            past: (B, N, 2, S, H*K) keys and values of the prompt and of earlier tokens.
            bias: (B, H, T, S+T) from `attention_bias`.
            memory: (B, N, 2, M, H*K) from `remember`.
            memory_bias: (B, 1, 1, M) from `memory_bias`.

        Returns:
            (B, T, D) normalised hidden states, and the (B, N, 2, T, H*K) keys and values of the new tokens.
        """
        padded = _Padded(self.layers, past, bias, memory, memory_bias)
        hidden = self.read(token_ids, padded)
        return hidden, torch.stack(padded.read, dim=1)

    def read(self, token_ids: Tensor, attention: Attention) -> Tensor:
        """Return the normalised hidden states (..., D) of new tokens (...); `attention` knows the rest."""
        return self.read_embedded(self.embedding(token_ids), attention)

    def read_embedded(self, hidden: Tensor, attention: Attention) -> Tensor:
        """Return what `read` does, from the (..., D) embeddings of the tokens."""
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden, partial(attention.attend, index), partial(attention.recall, index))
        normed: Tensor = self.final_norm(hidden)
        return normed

    def attention_bias(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return (B, H, T, S) bias of (B, T) query and (B, S) key positions; lowest for the future."""
        distance = queries[:, :, None] - keys[:, None, :]
        bucket = causal_buckets(distance, self.shape.num_buckets, self.shape.max_distance)
        bias: Tensor = self.position_bias(bucket).permute(0, 3, 1, 2)
        return bias.masked_fill((distance < 0)[:, None], torch.finfo(bias.dtype).min)

    def memory_bias(self, mask: Tensor) -> Tensor:
        """Return the (B, 1, 1, M) bias of a (B, M) mask of the memory: 0 where it is True, else lowest."""
        dtype = self.lm_head.weight.dtype
        bias = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
        return bias.masked_fill(~mask, torch.finfo(dtype).min)[:, None, None, :]


class DecoderLayer(Block):
    """A layer of the decoder: between self-attention and feed-forward it attends to the memory."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__(shape)
        self.memory_norm = RMSNorm(shape.d_model, shape.epsilon)
        self.memory_query = nn.Linear(shape.d_model, shape.d_attention, bias=False)
        self.memory_kv = nn.Linear(shape.d_model, 2 * shape.d_attention, bias=False)
        self.memory_out = nn.Linear(shape.d_attention, shape.d_model, bias=False)

    def read(self, states: Tensor) -> Tensor:
        """Return the (B, 2, L, H*K) keys and values of the encoder's (B, L, D) states."""
        return torch.stack(self.memory_kv(states).chunk(2, dim=-1), dim=1)

    def forward(self, hidden: Tensor, attend: Attend, recall: Attend) -> Tensor:
        """Map (..., D) to (..., D).

        Args:
            hidden: of the new tokens.
            attend: from their (..., 3*H*K) queries, keys and values to the (..., H*K) they attended to.
            recall: from their (..., H*K) queries to what they found in the memory, likewise.
        """
        hidden = hidden + self.attention_out(attend(self.qkv(self.attention_norm(hidden))))
        hidden = hidden + self.memory_out(recall(self.memory_query(self.memory_norm(hidden))))
        return hidden + self.feed_forward(hidden)


class _Padded:
    """Attention of padded rows to a past, of which training needs the gradient."""

    def __init__(
        self, layers: nn.ModuleList, past: Tensor, bias: Tensor, memory: Tensor, memory_bias: Tensor
    ) -> None:
        self._layers = layers
        self._past, self._bias = past, bias
        self._memory, self._memory_bias = memory, memory_bias
        self.read: list[Tensor] = []  # (B, 2, T, H*K) keys and values of the new tokens, layer by layer

    def attend(self, layer: int, qkv: Tensor) -> Tensor:
        query, key, value = qkv.chunk(3, dim=-1)
        kv = torch.stack([key, value], dim=1)
        self.read.append(kv)
        seen = torch.cat([self._past[:, layer].to(kv.dtype), kv], dim=2)
        bias = self._bias.to(query.dtype)
        return cast(DecoderLayer, self._layers[layer]).attend(query, seen[:, 0], seen[:, 1], bias)

    def recall(self, layer: int, query: Tensor) -> Tensor:
        keys, values = self._memory[:, layer].unbind(1)
        return cast(DecoderLayer, self._layers[layer]).attend(query, keys, values, self._memory_bias)


def causal_buckets(distance: Tensor, num_buckets: int, max_distance: int) -> Tensor:
    """Return the bucket of each distance back from query to key: T5's causal scheme (Raffel et al. 2020)."""
    return distance_buckets(distance.clamp(min=0), num_buckets, max_distance)


def load_decoder(shape: EncoderShape, weights: dict[str, Tensor]) -> Decoder:
    """Build a frozen decoder in eval mode from a Hugging Face T5 state dict."""
    prefix = "decoder.block"
    state = {
        "embedding.weight": weights["shared.weight"],
        "position_bias.weight": weights[f"{prefix}.0.layer.0.SelfAttention.relative_attention_bias.weight"],
        "final_norm.weight": weights["decoder.final_layer_norm.weight"],
        "lm_head.weight": weights["lm_head.weight"],
    }
    for index in range(shape.num_layers):
        own, memory, dense = (f"{prefix}.{index}.layer.{part}" for part in range(3))
        state |= {
            f"layers.{index}.attention_norm.weight": weights[f"{own}.layer_norm.weight"],
            f"layers.{index}.qkv.weight": _stacked(weights, f"{own}.SelfAttention", "qkv"),
            f"layers.{index}.attention_out.weight": weights[f"{own}.SelfAttention.o.weight"],
            f"layers.{index}.memory_norm.weight": weights[f"{memory}.layer_norm.weight"],
            f"layers.{index}.memory_query.weight": weights[f"{memory}.EncDecAttention.q.weight"],
            f"layers.{index}.memory_kv.weight": _stacked(weights, f"{memory}.EncDecAttention", "kv"),
            f"layers.{index}.memory_out.weight": weights[f"{memory}.EncDecAttention.o.weight"],
            f"layers.{index}.feed_forward_norm.weight": weights[f"{dense}.layer_norm.weight"],
            f"layers.{index}.gate_up.weight": _stacked(weights, f"{dense}.DenseReluDense", ("wi_0", "wi_1")),
            f"layers.{index}.down.weight": weights[f"{dense}.DenseReluDense.wo.weight"],
        }
    with torch.device("meta"):
        decoder = Decoder(shape)
    decoder.load_state_dict(state, assign=True)
    return decoder.requires_grad_(False).eval()


def _stacked(weights: dict[str, Tensor], module: str, parts: str | tuple[str, ...]) -> Tensor:
    return torch.cat([weights[f"{module}.{part}.weight"] for part in parts])
