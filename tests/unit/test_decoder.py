from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import T5ForConditionalGeneration

from nlu.backbone import Backbone
from nlu.decoder import Decoder, causal_buckets


@pytest.fixture(scope="module")
def decoder(backbone: Backbone) -> Decoder:
    return backbone.decoder()


@pytest.fixture(scope="module")
def reference(backbone: Backbone) -> T5ForConditionalGeneration:
    return backbone.transformer()


@pytest.fixture(scope="module")
def states(backbone: Backbone) -> Tensor:
    """(2, L, D) encoder states of two texts of one length."""
    ids = [backbone.tokenizer.encode(text).ids for text in ("book a table", "book a train")]
    tokens = torch.tensor(ids)
    with torch.inference_mode():
        states: Tensor = backbone.encoder()(tokens, torch.ones_like(tokens, dtype=torch.bool))
    return states


def nothing(decoder: Decoder, rows: int) -> Tensor:
    return torch.zeros(rows, decoder.shape.num_layers, 2, 0, decoder.shape.d_attention)


@torch.inference_mode()
def read(decoder: Decoder, states: Tensor, token_ids: Tensor) -> Tensor:
    """Return the hidden states of whole sentences, without prompts."""
    memory = decoder.remember(states, nothing(decoder, len(states)))
    positions = torch.arange(token_ids.shape[1]).expand(len(token_ids), -1)
    bias = decoder.attention_bias(positions, positions)
    memory_bias = decoder.memory_bias(torch.ones(memory.shape[0], memory.shape[3], dtype=torch.bool))
    hidden: Tensor = decoder(token_ids, nothing(decoder, len(states)), bias, memory, memory_bias)[0]
    return hidden


def test_equals_transformers(decoder: Decoder, reference: T5ForConditionalGeneration, states: Tensor) -> None:
    token_ids = torch.tensor([[0, 484, 9, 5, 1], [0, 71, 2, 31999, 7]])
    with torch.inference_mode():
        logits = decoder.lm_head(read(decoder, states, token_ids))
        expected = reference(encoder_outputs=(states,), decoder_input_ids=token_ids).logits
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=1e-4)


def test_equals_transformers_beyond_the_maximum_distance(
    decoder: Decoder, reference: T5ForConditionalGeneration, states: Tensor
) -> None:
    token_ids = torch.randint(2, 32000, (2, 200), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = reference.decoder(input_ids=token_ids, encoder_hidden_states=states).last_hidden_state
    torch.testing.assert_close(read(decoder, states, token_ids), expected, atol=2e-3, rtol=1e-3)


@torch.inference_mode()
def test_reading_in_two_steps_is_reading_at_once(decoder: Decoder, states: Tensor) -> None:
    token_ids = torch.tensor([[0, 484, 9, 5, 1], [0, 71, 2, 31999, 7]])
    whole = read(decoder, states, token_ids)
    memory = decoder.remember(states, nothing(decoder, 2))
    memory_bias = decoder.memory_bias(torch.ones(2, memory.shape[3], dtype=torch.bool))
    positions = torch.arange(5).expand(2, -1)
    first, past = decoder(
        token_ids[:, :2],
        nothing(decoder, 2),
        decoder.attention_bias(positions[:, :2], positions[:, :2]),
        memory,
        memory_bias,
    )
    bias = decoder.attention_bias(positions[:, 2:], positions)
    second, _ = decoder(token_ids[:, 2:], past, bias, memory, memory_bias)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_key_of_the_future_is_not_seen(decoder: Decoder, states: Tensor) -> None:
    token_ids = torch.tensor([[0, 484, 9], [0, 71, 2]])
    memory = decoder.remember(states, nothing(decoder, 2))
    memory_bias = decoder.memory_bias(torch.ones(2, memory.shape[3], dtype=torch.bool))
    junk = torch.randn(2, decoder.shape.num_layers, 2, 4, decoder.shape.d_attention)
    positions = torch.arange(3).expand(2, -1)
    keys = torch.cat([torch.full((2, 4), 1000), positions], dim=1)
    hidden, _ = decoder(token_ids, junk, decoder.attention_bias(positions, keys), memory, memory_bias)
    torch.testing.assert_close(hidden, read(decoder, states, token_ids), atol=1e-4, rtol=1e-4)


def test_is_frozen(decoder: Decoder) -> None:
    assert not any(parameter.requires_grad for parameter in decoder.parameters())
    assert not decoder.training


@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (8, 20)])
def test_causal_buckets_are_those_of_transformers(num_buckets: int, max_distance: int) -> None:
    from transformers.models.t5.modeling_t5 import T5Attention

    distance = torch.arange(-5, 300)[None]
    expected = T5Attention._relative_position_bucket(
        -distance, bidirectional=False, num_buckets=num_buckets, max_distance=max_distance
    )
    assert torch.equal(causal_buckets(distance, num_buckets, max_distance), expected)
