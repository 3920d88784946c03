from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import T5EncoderModel
from transformers.models.t5.modeling_t5 import T5Attention

from nlu.backbone import Backbone
from nlu.encoder import Encoder, relative_buckets

TEXTS = [
    "I am still waiting on my card",
    "hi",
    "what is the exchange rate, and how long does a transfer to a bank in another country take?",
]


@pytest.fixture(scope="module")
def encoder(backbone: Backbone) -> Encoder:
    return backbone.encoder()


@pytest.fixture(scope="module")
def reference(backbone: Backbone) -> T5EncoderModel:
    return backbone.encoder_transformer()


def padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    return ids, torch.arange(ids.shape[1]) < lengths[:, None]


@pytest.fixture(scope="module")
def batch(backbone: Backbone) -> tuple[Tensor, Tensor]:
    """Token ids (3, L) and mask (3, L) of texts of different lengths."""
    return padded([backbone.tokenizer.encode(text).ids for text in TEXTS])


def random_prompt(encoder: Encoder, rows: int, length: int, seed: int = 0) -> Tensor:
    shape = encoder.shape
    generator = torch.Generator().manual_seed(seed)
    # Larger than the keys of tokens (their deviation is 1), so that every prompt gets attention.
    return 4 * torch.randn(rows, shape.prompted_layers, 2, length, shape.d_attention, generator=generator)


def close(left: Tensor, right: Tensor, tolerance: float = 1e-5) -> bool:
    return bool((left - right).abs().max() < tolerance)


@torch.inference_mode()
def test_equals_transformers_with_padding(
    encoder: Encoder, reference: T5EncoderModel, batch: tuple[Tensor, Tensor]
) -> None:
    ids, mask = batch
    expected = reference(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert close(encoder(ids, mask)[mask], expected[mask])


@torch.inference_mode()
def test_equals_transformers_beyond_the_maximum_distance(encoder: Encoder, reference: T5EncoderModel) -> None:
    ids = torch.randint(3, 30_000, (1, 200), generator=torch.Generator().manual_seed(0))
    expected = reference(input_ids=ids).last_hidden_state
    assert close(encoder(ids, torch.ones_like(ids, dtype=torch.bool)), expected)


@torch.inference_mode()
def test_an_empty_prompt_is_no_prompt(encoder: Encoder, batch: tuple[Tensor, Tensor]) -> None:
    ids, mask = batch
    without = encoder(ids, mask)
    assert close(encoder(ids, mask, random_prompt(encoder, len(ids), 0)), without)
    masked = torch.zeros(len(ids), 5, dtype=torch.bool)
    assert close(encoder(ids, mask, random_prompt(encoder, len(ids), 5), masked), without)


@torch.inference_mode()
def test_a_prompt_changes_every_row(encoder: Encoder, batch: tuple[Tensor, Tensor]) -> None:
    ids, mask = batch
    change = (encoder(ids, mask, random_prompt(encoder, len(ids), 4)) - encoder(ids, mask)).abs()
    assert (change.amax(dim=(1, 2)) > 0.01).all()


@torch.inference_mode()
def test_a_padded_prompt_is_the_prompt(encoder: Encoder, batch: tuple[Tensor, Tensor]) -> None:
    ids, mask = batch
    prompt = random_prompt(encoder, len(ids), 6)
    three_of_six = (torch.arange(6) < 3).expand(len(ids), 6)
    assert close(
        encoder(ids, mask, prompt, three_of_six)[mask], encoder(ids, mask, prompt[:, :, :, :3])[mask]
    )


@torch.inference_mode()
def test_the_vectors_of_a_prompt_have_no_order(encoder: Encoder, batch: tuple[Tensor, Tensor]) -> None:
    ids, mask = batch
    prompt = random_prompt(encoder, len(ids), 6)
    assert close(encoder(ids, mask, prompt)[mask], encoder(ids, mask, prompt.flip(3))[mask])


@torch.inference_mode()
def test_a_row_with_its_own_prompt_is_the_same_alone(encoder: Encoder, batch: tuple[Tensor, Tensor]) -> None:
    ids, mask = batch
    prompt = random_prompt(encoder, len(ids), 6)
    lengths = torch.tensor([6, 2, 0])
    together = encoder(ids, mask, prompt, torch.arange(6) < lengths[:, None])
    for row, length in enumerate(lengths.tolist()):
        tokens = int(mask[row].sum())
        alone = encoder(
            ids[row : row + 1, :tokens], mask[row : row + 1, :tokens], prompt[row : row + 1, :, :, :length]
        )
        assert close(together[row, :tokens], alone[0])


@torch.inference_mode()
def test_keys_and_values_are_those_of_transformers(
    encoder: Encoder, reference: T5EncoderModel, batch: tuple[Tensor, Tensor]
) -> None:
    ids, mask = batch
    recorded: list[Tensor] = []
    blocks: Any = reference.encoder.block
    attentions = [block.layer[0].SelfAttention for block in blocks[encoder.shape.fork :]]
    hooks = [
        part.register_forward_hook(lambda module, inputs, output: recorded.append(output))
        for attention in attentions
        for part in (attention.k, attention.v)
    ]
    reference(input_ids=ids, attention_mask=mask.long())
    for hook in hooks:
        hook.remove()
    found = list(encoder.keys_and_values(encoder.trunk(encoder.embedding(ids), mask), mask))
    assert len(found) == encoder.shape.prompted_layers == len(recorded) // 2
    for index, (keys, values) in enumerate(found):
        assert close(keys[mask], recorded[2 * index][mask], 1e-4)  # of values up to 20
        assert close(values[mask], recorded[2 * index + 1][mask], 1e-4)


@torch.inference_mode()
def test_trunk_and_top_are_the_whole(encoder: Encoder, batch: tuple[Tensor, Tensor]) -> None:
    ids, mask = batch
    prompt = random_prompt(encoder, len(ids), 3)
    hidden = encoder.trunk(encoder.embedding(ids), mask)
    assert torch.equal(encoder.top(hidden, mask, prompt), encoder(ids, mask, prompt))


def test_is_frozen(encoder: Encoder) -> None:
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (32, 20), (16, 64)])
@pytest.mark.parametrize("length", [1, 2, 9, 150])
def test_relative_buckets_are_those_of_transformers(length: int, num_buckets: int, max_distance: int) -> None:
    position = torch.arange(length)
    expected = T5Attention._relative_position_bucket(
        position[None, :] - position[:, None],
        bidirectional=True,
        num_buckets=num_buckets,
        max_distance=max_distance,
    )
    assert torch.equal(relative_buckets(length, num_buckets, max_distance, position.device), expected)
