from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nlu.backbone import Backbone
from nlu.encoder import Encoder
from training.prompt_study import nearest_words, study_layers

TEXT = "how long does a transfer take?"


@pytest.fixture(scope="module")
def encoder(backbone: Backbone) -> Encoder:
    return backbone.encoder()


@pytest.fixture(scope="module")
def ids(backbone: Backbone) -> list[int]:
    found: list[int] = backbone.tokenizer.encode(TEXT).ids
    return found


def deep(encoder: Encoder, length: int, layers: int | None = None) -> Any:
    shape = encoder.shape
    generator = np.random.default_rng(13)
    sizes = (layers or shape.prompted_layers, 2, length, shape.d_attention)
    return 4 * generator.normal(size=sizes).astype(np.float32)


def test_attention_is_the_prompts_share_of_the_softmax(encoder: Encoder, ids: list[int]) -> None:
    prompt, shape = deep(encoder, 3), encoder.shape
    first: Any = encoder.layers[shape.fork]
    mask = torch.ones(1, len(ids), dtype=torch.bool)
    with torch.inference_mode():
        hidden = encoder.trunk(encoder.embedding(torch.tensor([ids])), mask)
        query, key, _ = first.qkv(first.attention_norm(hidden))[0].chunk(3, dim=-1)
        bias = encoder.attention_bias(mask, None, torch.float32)[0]
    shares = []
    for head in range(shape.num_heads):
        part = slice(head * shape.d_kv, (head + 1) * shape.d_kv)
        of_prompt = np.exp(query[:, part].numpy() @ prompt[0, 0][:, part].T).sum(axis=1)
        of_tokens = np.exp((query[:, part] @ key[:, part].T + bias[head]).numpy()).sum(axis=1)
        shares.append(of_prompt / (of_prompt + of_tokens))
    study = study_layers(encoder, [ids], prompt)
    assert [each.layer for each in study] == [5, 6, 7, 8]
    assert study[0].attention == pytest.approx(np.mean(shares), abs=1e-4)
    assert study[0].even == pytest.approx(3 / (3 + len(ids)))


def test_change_is_what_the_output_is_without_the_layers_prompt(encoder: Encoder, ids: list[int]) -> None:
    last = Encoder(replace(encoder.shape, num_layers=1)).eval()  # one layer, and it has a prompt
    last.load_state_dict(
        {
            name.replace("layers.7.", "layers.0."): tensor
            for name, tensor in encoder.state_dict().items()
            if not name.startswith("layers.") or name.startswith("layers.7.")
        }
    )
    prompt = deep(last, 4)
    mask = torch.ones(1, len(ids), dtype=torch.bool)
    with torch.inference_mode():
        embeddings = last.embedding(torch.tensor([ids]))
        whole = last.top(embeddings, mask, torch.from_numpy(prompt)[None])
        bare = last.top(embeddings, mask)
    cosine = torch.nn.functional.cosine_similarity(whole, bare, dim=-1).mean()
    [study] = study_layers(last, [ids], prompt)
    assert study.change == pytest.approx(1 - float(cosine), abs=1e-5)
    assert study.change > 0.01


def test_texts_count_by_their_tokens(encoder: Encoder, ids: list[int]) -> None:
    prompt = deep(encoder, 2)
    alone = [study_layers(encoder, [text], prompt)[0].even for text in (ids, ids[:2])]
    [both, *_] = study_layers(encoder, [ids, ids[:2]], prompt)
    expected = (alone[0] * len(ids) + alone[1] * 2) / (len(ids) + 2)
    assert both.even == pytest.approx(expected)


def test_nearest_words_of_words_are_themselves(encoder: Encoder, backbone: Backbone) -> None:
    embedding = encoder.embedding.weight.numpy()
    token = backbone.tokenizer.token_to_id("▁transfer")
    [near, scaled] = nearest_words(
        np.stack([embedding[token], 7 * embedding[token]]), embedding, backbone.tokenizer, count=3
    )
    assert [each.token for each in near][:1] == ["▁transfer"]
    assert near[0].cosine == pytest.approx(1.0, abs=1e-5)
    assert [each.token for each in near] == [each.token for each in scaled]
    assert [each.cosine for each in near] == sorted((each.cosine for each in near), reverse=True)
