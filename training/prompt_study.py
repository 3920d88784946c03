"""What a skill's prompt does inside the frozen encoder: words near its vectors, and its part in each layer.

Nearness and attention describe; neither says why an answer is what it is. What comes nearest to that is
leaving a layer's prompt out and looking at what changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

from nlu.encoder import Encoder, Layer
from nlu.half import Floats, Halves

WORDS = 5


@dataclass(frozen=True)
class NearWord:
    """A token of the vocabulary and its cosine with a vector of a soft prompt."""

    token: str
    cosine: float


@dataclass(frozen=True)
class LayerStudy:
    """One prompted layer, 1 being the encoder's first; means over the tokens of all texts.

    attention: share of the attention that goes to the prompt; even: what it were if all vectors and tokens
    got the same. change: 1 - cosine of the encoder's output with and without this layer's prompt.
    """

    layer: int
    attention: float
    even: float
    change: float


def nearest_words(
    soft: Floats, embedding: Floats, tokenizer: Tokenizer, count: int = WORDS
) -> list[list[NearWord]]:
    """Return the tokens next to each vector of a soft prompt, nearest first.

    Args:
        soft: (S, D); embedding: (V, D) of the vocabulary.
    """
    cosines = _unit(soft) @ _unit(embedding).T
    best = np.argsort(-cosines, axis=1)[:, :count]
    return [
        [NearWord(tokenizer.id_to_token(int(token)) or "", float(row[token])) for token in tokens]
        for row, tokens in zip(cosines, best, strict=True)
    ]


@torch.inference_mode()
def study_layers(encoder: Encoder, texts: Sequence[Sequence[int]], deep: Halves) -> list[LayerStudy]:
    """Look at each layer with a deep prompt.

    Args:
        texts: token ids of each, at least one text.
        deep: (N, 2, P, H*K) keys and values of the N top layers.
    """
    prompt = torch.from_numpy(np.asarray(deep, np.float32))[None]
    layers, length = prompt.shape[1], prompt.shape[3]
    sums = torch.zeros(layers, 3)
    for ids in texts:
        hidden = encoder.trunk(encoder.embedding(torch.tensor([list(ids)])), _mask(len(ids)))
        whole, attention = _top(encoder, hidden, prompt)
        for layer in range(layers):
            without, _ = _top(encoder, hidden, prompt, left_out=layer)
            change = 1 - F.cosine_similarity(whole, without, dim=-1)
            even = torch.full_like(change, length / (length + len(ids)))
            sums[layer] += torch.stack([attention[layer].sum(), even.sum(), change.sum()])
    means = (sums / sum(map(len, texts))).tolist()
    return [LayerStudy(encoder.shape.fork + number, *mean) for number, mean in enumerate(means, start=1)]


def _top(
    encoder: Encoder, hidden: Tensor, prompt: Tensor, left_out: int | None = None
) -> tuple[Tensor, list[Tensor]]:
    """Return the encoder's output (1, L, D), and the prompt's share of attention (L,) in each layer."""
    mask, shares = _mask(hidden.shape[1]), []
    plain = encoder.attention_bias(mask, None, hidden.dtype)
    prompted = encoder.attention_bias(mask, _mask(prompt.shape[3]), hidden.dtype)
    for index, layer in enumerate(cast(Iterable[Layer], encoder.layers[encoder.shape.fork :])):
        if index == left_out:
            hidden = layer(hidden, plain, None)
            continue
        query, key, _ = layer.qkv(layer.attention_norm(hidden)).chunk(3, dim=-1)
        keys = torch.cat([prompt[:, index, 0], key], dim=1)
        weights = (layer.heads(query) @ layer.heads(keys).mT + prompted).softmax(dim=-1)  # (1, H, L, P+L)
        shares.append(weights[0, :, :, : prompt.shape[3]].sum(dim=-1).mean(dim=0))
        hidden = layer(hidden, prompted, prompt[:, index])
    return encoder.final_norm(hidden), shares


def _mask(length: int) -> Tensor:
    return torch.ones(1, length, dtype=torch.bool)


def _unit(rows: Floats) -> Floats:
    found: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9)
    return found
