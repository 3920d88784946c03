from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from nlu.backbone import Backbone
from nlu.decoder import Decoder
from nlu.decoder_cache import DecoderCache, Reading
from nlu.engine.decoder_base import CacheSize
from nlu.prompt import DecoderPrompt

TOKENS = torch.tensor([[0, 484, 9, 5, 1], [0, 71, 2, 31999, 7]])
PROMPT = 3


@pytest.fixture(scope="module")
def decoder(backbone: Backbone) -> Decoder:
    return backbone.decoder()


@pytest.fixture(scope="module")
def memory(decoder: Decoder) -> Tensor:
    """(2, N, 2, 6, H*K) of two texts."""
    states = torch.randn(2, 6, decoder.shape.d_model, generator=torch.Generator().manual_seed(1))
    return decoder.keys_and_values(states)


@pytest.fixture(scope="module")
def own(decoder: Decoder) -> Tensor:
    """(2, N, 2, 3, H*K) prompts of two skills."""
    size = (2, decoder.shape.num_layers, 2, PROMPT, decoder.shape.d_attention)
    return torch.randn(size, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def whole(decoder: Decoder, own: Tensor, memory: Tensor) -> Tensor:
    """(2, T, D) hidden states of all tokens read at once, padded."""
    keys = torch.arange(PROMPT + TOKENS.shape[1]).expand(2, -1)
    bias = decoder.attention_bias(keys[:, PROMPT:], keys)
    seen = decoder.memory_bias(torch.ones(2, 6, dtype=torch.bool))
    hidden: Tensor = decoder(TOKENS, own, bias, memory, seen)[0]
    return hidden


def filled(decoder: Decoder, own: Tensor, memory: Tensor, *, slots: int = 2) -> DecoderCache:
    size = CacheSize(slots, PROMPT + 8, 9)
    cache = DecoderCache(decoder.shape, size, dtype=torch.float32, device="cpu")
    for slot in range(2):
        put(cache, slot, own[slot], memory[slot, :, :, :2], memory[slot, :, :, 2:])
    return cache


def put(cache: DecoderCache, slot: int, own: Tensor, beside: Tensor, states: Tensor) -> None:
    cache.put(slot, DecoderPrompt(own.numpy(), beside.numpy()), states)


def read(decoder: Decoder, cache: DecoderCache, tokens: list[Tensor], begin: list[int]) -> list[Tensor]:
    counts = np.array([len(each) for each in tokens])
    hidden = decoder.read(torch.cat(tokens), Reading(decoder, cache, PROMPT + np.array(begin), counts))
    return list(torch.split(hidden, counts.tolist()))


def test_rows_read_at_their_own_pace(decoder: Decoder, own: Tensor, memory: Tensor, whole: Tensor) -> None:
    cache = filled(decoder, own, memory)
    first = read(decoder, cache, [TOKENS[0, :4], TOKENS[1, :1]], [0, 0])
    second = read(decoder, cache, [TOKENS[0, 4:], TOKENS[1, 1:]], [4, 1])
    for row in range(2):
        torch.testing.assert_close(torch.cat([first[row], second[row]]), whole[row], atol=1e-4, rtol=1e-4)


def test_what_was_read_in_vain_is_written_over(
    decoder: Decoder, own: Tensor, memory: Tensor, whole: Tensor
) -> None:
    cache = filled(decoder, own, memory)
    wrong = torch.tensor([99, 98, 97, 96])
    read(decoder, cache, [torch.cat([TOKENS[0, :2], wrong]), TOKENS[1]], [0, 0])
    [again] = read(decoder, cache, [TOKENS[0, 2:]], [2])
    torch.testing.assert_close(again, whole[0, 2:], atol=1e-4, rtol=1e-4)


def test_a_row_that_moved_goes_on(decoder: Decoder, own: Tensor, memory: Tensor, whole: Tensor) -> None:
    cache = filled(decoder, own, memory, slots=3)
    read(decoder, cache, [TOKENS[0, :2], TOKENS[1, :2]], [0, 0])
    cache.move(1, 0)
    [rest] = read(decoder, cache, [TOKENS[1, 2:]], [2])
    torch.testing.assert_close(rest, whole[1, 2:], atol=1e-4, rtol=1e-4)


def test_a_slot_forgets_the_row_before(decoder: Decoder, own: Tensor, memory: Tensor, whole: Tensor) -> None:
    cache = filled(decoder, own, memory)
    nothing = torch.full_like(own[0], torch.nan)
    put(cache, 0, nothing, nothing[:, :, :2], nothing)
    read(decoder, cache, [TOKENS[0]], [0])
    put(cache, 0, own[0], memory[0, :, :, :2], memory[0, :, :, 2:])
    [found] = read(decoder, cache, [TOKENS[0]], [0])
    torch.testing.assert_close(found, whole[0], atol=1e-4, rtol=1e-4)
