"""The T5 encoder, written out so that every row of a batch can carry its own deep prompt.

transformers and PEFT cannot do this for an encoder (PEFT's prefix tuning reaches only T5's decoder), and the
plain form below is also what exports cleanly to other engines. Equal to transformers' encoder within 1e-5.

The layers are split at the *fork*. Below it, the trunk knows nothing of skills: it runs once per utterance,
however many skills are asked, and its output is computed once per training row. Above it, the top layers
attend to the skill's deep prompt as well. Prompting only the upper half costs no accuracy that we could
measure (benchmarks/RESULTS.md) and halves training time and stored bytes.

Shapes: B rows, L tokens, P prompt vectors, H heads, K key size, D model size, N top layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.shape import EncoderShape


class Encoder(nn.Module):
    """T5 v1.1 encoder with pre-RMSNorm, relative position bias and gated GELU; no dropout, ever."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.adapted = False  # whether an adapter is folded into the top layers
        self.embedding = nn.Embedding(shape.vocab_size, shape.d_model)
        self.position_bias = nn.Embedding(shape.num_buckets, shape.num_heads)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_layers))
        self.final_norm = RMSNorm(shape.d_model, shape.epsilon)

    def forward(
        self, token_ids: Tensor, mask: Tensor, prompt: Tensor | None = None, prompt_mask: Tensor | None = None
    ) -> Tensor:
        """Encode (B, L) int64 tokens to (B, L, D) hidden states; the rest as in `trunk` and `top`."""
        return self.top(self.trunk(self.embedding(token_ids), mask), mask, prompt, prompt_mask)

    def trunk(self, embeddings: Tensor, mask: Tensor) -> Tensor:
        """Run the layers below the fork.

        Args:
            embeddings: (B, L, D) of the tokens, or of a soft prompt and the tokens.
            mask: (B, L) bool, True where there is something to attend to.

        Returns:
            (B, L, D) hidden states at the fork.
        """
        bias = self.attention_bias(mask, None, embeddings.dtype)
        hidden = embeddings
        for layer in self.layers[: self.shape.fork]:
            hidden = layer(hidden, bias, None)
        return hidden

    def top(
        self, hidden: Tensor, mask: Tensor, prompt: Tensor | None = None, prompt_mask: Tensor | None = None
    ) -> Tensor:
        """Run the layers above the fork, each row with its own deep prompt.

        Args:
            hidden: (B, L, D) from `trunk`.
            mask: (B, L) bool, as given to `trunk`.
            prompt: (B, N, 2, P, H*K) keys and values that every token of the row attends to.
            prompt_mask: (B, P) bool, True at the vectors that the row has; None means all.

        Returns:
            (B, L, D) hidden states after the final norm.
        """
        if prompt is not None and prompt_mask is None:
            prompt_mask = mask.new_ones(prompt.shape[0], prompt.shape[3])
        bias = self.attention_bias(mask, prompt_mask, hidden.dtype)
        for index, layer in enumerate(self.layers[self.shape.fork :]):
            hidden = layer(hidden, bias, None if prompt is None else prompt[:, index])
        states: Tensor = self.final_norm(hidden)
        return states

    def share_trunk(self, other: Encoder) -> None:
        """Use another encoder's embedding and trunk, which are alike, instead of own ones."""
        self.embedding, self.position_bias = other.embedding, other.position_bias
        for index in range(self.shape.fork):
            self.layers[index] = other.layers[index]

    def keys_and_values(self, hidden: Tensor, mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each top layer's keys and values (B, L, H*K) of the tokens themselves, without a prompt."""
        bias = self.attention_bias(mask, None, hidden.dtype)
        for layer in cast(Iterable[Layer], self.layers[self.shape.fork :]):
            _, keys, values = layer.qkv(layer.attention_norm(hidden)).chunk(3, dim=-1)
            yield keys, values
            hidden = layer(hidden, bias, None)

    def attention_bias(self, mask: Tensor, prompt_mask: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Return (B, H, L, P+L): position bias of the tokens, none for the prompt; lowest if masked."""
        length = mask.shape[1]
        bucket = relative_buckets(length, self.shape.num_buckets, self.shape.max_distance, mask.device)
        bias: Tensor = self.position_bias(bucket).permute(2, 0, 1)[None]  # (1, H, L, L)
        lowest = torch.finfo(dtype).min
        bias = bias.masked_fill(~mask[:, None, None, :], lowest)  # (B, H, L, L)
        if prompt_mask is None:
            return bias.to(dtype)
        prompt_bias = torch.zeros(prompt_mask.shape, dtype=bias.dtype, device=bias.device)
        prompt_bias = prompt_bias.masked_fill(~prompt_mask, lowest)[:, None, None, :]
        prompt_bias = prompt_bias.expand(-1, bias.shape[1], length, -1)
        return torch.cat([prompt_bias, bias], dim=-1).to(dtype)


class Block(nn.Module):
    """What every layer of encoder and decoder has: self-attention and gated feed-forward, behind norms."""

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.attention_norm = RMSNorm(shape.d_model, shape.epsilon)
        self.qkv = nn.Linear(shape.d_model, 3 * shape.d_attention, bias=False)
        self.attention_out = nn.Linear(shape.d_attention, shape.d_model, bias=False)
        self.feed_forward_norm = RMSNorm(shape.d_model, shape.epsilon)
        self.gate_up = nn.Linear(shape.d_model, 2 * shape.d_ff, bias=False)
        self.down = nn.Linear(shape.d_ff, shape.d_model, bias=False)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """Return (B, L, H*K) of (B, L, H*K) queries over (B, S, H*K) keys and values."""
        attended = F.scaled_dot_product_attention(
            self.heads(query), self.heads(key), self.heads(value), attn_mask=bias, scale=1.0
        )
        return attended.transpose(1, 2).flatten(2)

    def feed_forward(self, hidden: Tensor) -> Tensor:
        """Return the (B, L, D) change that the gated feed-forward makes."""
        gate, up = self.gate_up(self.feed_forward_norm(hidden)).chunk(2, dim=-1)
        change: Tensor = self.down(F.gelu(gate, approximate="tanh") * up)
        return change

    def heads(self, states: Tensor) -> Tensor:
        """(B, L, H*K) -> (B, H, L, K)."""
        heads: Tensor = states.unflatten(-1, (self.shape.num_heads, self.shape.d_kv))  # type: ignore[no-untyped-call]
        return heads.transpose(1, 2)


class Layer(Block):
    """A layer of the encoder."""

    def forward(self, hidden: Tensor, bias: Tensor, prompt: Tensor | None) -> Tensor:
        """Map (B, L, D) to (B, L, D); `bias` is (B, H, L, P+L), `prompt` (B, 2, P, H*K)."""
        query, key, value = self.qkv(self.attention_norm(hidden)).chunk(3, dim=-1)
        if prompt is not None:
            key = torch.cat([prompt[:, 0].to(key.dtype), key], dim=1)
            value = torch.cat([prompt[:, 1].to(value.dtype), value], dim=1)
        hidden = hidden + self.attention_out(self.attend(query, key, value, bias))
        return hidden + self.feed_forward(hidden)


class RMSNorm(nn.Module):
    """Scale by the root mean square, computed in float32; no bias (T5 v1.1)."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (..., D) to (..., D)."""
        return F.rms_norm(hidden.float(), self.weight.shape, self.weight.float(), self.epsilon).to(
            hidden.dtype
        )


def relative_buckets(length: int, num_buckets: int, max_distance: int, device: torch.device) -> Tensor:
    """Return (L, L) buckets of (query, key) distances: T5's bidirectional scheme (Raffel et al. 2020)."""
    position = torch.arange(length, device=device)
    distance = position[None, :] - position[:, None]
    half = num_buckets // 2
    return distance_buckets(distance.abs(), half, max_distance) + (distance > 0).long() * half


def distance_buckets(distance: Tensor, num_buckets: int, max_distance: int) -> Tensor:
    """Return the bucket of each distance, 0 or more: near ones have their own, far ones share one."""
    exact = num_buckets // 2
    far = exact + (
        torch.log(distance.clamp(min=1).float() / exact)
        / math.log(max_distance / exact)
        * (num_buckets - exact)
    ).long().clamp(max=num_buckets - 1 - exact)
    return torch.where(distance < exact, distance, far)


def load_encoder(shape: EncoderShape, weights: dict[str, Tensor]) -> Encoder:
    """Build a frozen encoder in eval mode from a Hugging Face T5 state dict."""
    prefix = "encoder.block"
    state = {
        "embedding.weight": weights["shared.weight"],
        "position_bias.weight": weights[f"{prefix}.0.layer.0.SelfAttention.relative_attention_bias.weight"],
        "final_norm.weight": weights["encoder.final_layer_norm.weight"],
    }
    for index in range(shape.num_layers):
        attention, dense = f"{prefix}.{index}.layer.0", f"{prefix}.{index}.layer.1"
        state |= {
            f"layers.{index}.attention_norm.weight": weights[f"{attention}.layer_norm.weight"],
            f"layers.{index}.qkv.weight": torch.cat(
                [weights[f"{attention}.SelfAttention.{part}.weight"] for part in "qkv"]
            ),
            f"layers.{index}.attention_out.weight": weights[f"{attention}.SelfAttention.o.weight"],
            f"layers.{index}.feed_forward_norm.weight": weights[f"{dense}.layer_norm.weight"],
            f"layers.{index}.gate_up.weight": torch.cat(
                [weights[f"{dense}.DenseReluDense.wi_{part}.weight"] for part in (0, 1)]
            ),
            f"layers.{index}.down.weight": weights[f"{dense}.DenseReluDense.wo.weight"],
        }
    with torch.device("meta"):
        encoder = Encoder(shape)
    encoder.load_state_dict(state, assign=True)
    return encoder.requires_grad_(False).eval()
