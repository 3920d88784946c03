from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import Engine, make_engine
from nlu.head import pooled
from nlu.prompt import Prompt, Row
from training import models
from training.models import DeepPrompted, PromptedEncoder, SoftPrompted

MakePrompt = Callable[..., Prompt]
MakeEncoder = Callable[..., PromptedEncoder]

TEXTS = ["when does my card arrive", "hi", "what is the exchange rate of the day for dollars", "top up"]
METHODS = ["deep-prompt", "soft-prompt"]


@pytest.fixture(scope="module")
def engine(backbone: Backbone) -> Engine:
    return make_engine(backbone, Compute("cpu", Precision.FLOAT32, threads=1), "torch")


@pytest.fixture
def make_encoder(backbone: Backbone) -> MakeEncoder:
    """Return a function that makes a small prompted encoder over the texts."""

    def make(method: str, *, length: int = 5, seed: int = 0) -> PromptedEncoder:
        rows = [tuple(backbone.tokenizer.encode(text).ids) for text in TEXTS]
        if method == "deep-prompt":
            return DeepPrompted(backbone.encoder(), rows, prompt_length=length, seed=seed)
        torch.manual_seed(seed)
        return SoftPrompted(backbone, rows, prompt_length=length)

    return make


@pytest.mark.parametrize("method", METHODS)
def test_features_are_those_that_the_engine_serves(
    make_encoder: MakeEncoder, engine: Engine, method: str
) -> None:
    """For soft-prompt this is PEFT's own model against ours."""
    encoder = make_encoder(method)
    served = engine.encode([Row(ids, encoder.prompt()) for ids in encoder.rows])
    found = encoder.all_features(range(len(TEXTS))).numpy()
    assert found.shape == (len(TEXTS), encoder.width)
    for feature, states in zip(found, served, strict=True):
        np.testing.assert_allclose(feature, pooled(states), atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_prompt_that_was_set_is_used(
    make_encoder: MakeEncoder, make_prompt: MakePrompt, engine: Engine, method: str
) -> None:
    encoder, untrained = make_encoder(method), make_encoder(method).prompt()
    prompt = make_prompt(deep=5) if method == "deep-prompt" else make_prompt(soft=5)
    before = encoder.all_features([0])
    encoder.reset(prompt)
    assert np.array_equal(encoder.prompt().arrays()[0], prompt.arrays()[0])
    feature = encoder.all_features([0])
    assert not torch.allclose(feature, before, atol=1e-3)
    [states] = engine.encode([Row(encoder.rows[0], prompt)])
    np.testing.assert_allclose(feature[0].numpy(), pooled(states), atol=1e-4)
    encoder.reset(untrained)
    assert torch.equal(encoder.all_features([0]), before)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_reach_the_prompt_only(make_encoder: MakeEncoder, method: str) -> None:
    encoder = make_encoder(method)
    [parameter] = encoder.parameters()
    encoder.features([0, 1])[:, 0].sum().backward()  # type: ignore[no-untyped-call]
    assert parameter.grad is not None and parameter.grad.abs().max() > 0
    if isinstance(encoder, DeepPrompted):
        frozen = list(encoder._encoder.parameters())
    else:
        assert isinstance(encoder, SoftPrompted)
        frozen = [each for each in encoder._model.parameters() if each is not parameter]
    assert len(frozen) > 10
    assert not any(each.requires_grad or each.grad is not None for each in frozen)


@pytest.mark.parametrize("method", METHODS)
def test_the_prompt_that_was_taken_does_not_change(make_encoder: MakeEncoder, method: str) -> None:
    encoder = make_encoder(method)
    taken = encoder.prompt().arrays()[0]
    before = taken.copy()
    with torch.no_grad():
        encoder.parameters()[0].add_(1.0)
    assert np.array_equal(taken, before)
    assert np.allclose(encoder.prompt().arrays()[0], before + 1.0)


@pytest.mark.parametrize("method", METHODS)
def test_all_features_keep_the_order_asked(
    make_encoder: MakeEncoder, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(models, "EVALUATION_ROWS", 2)
    encoder = make_encoder(method)
    indices = [3, 0, 2, 1, 0]
    found = encoder.all_features(indices)
    assert not found.requires_grad
    for feature, index in zip(found, indices, strict=True):
        torch.testing.assert_close(feature, encoder.features([index])[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_the_untrained_prompt(make_encoder: MakeEncoder, method: str) -> None:
    first, again, other = (make_encoder(method, seed=seed).prompt().arrays()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_quiet_prompt_changes_next_to_nothing(
    make_encoder: MakeEncoder, backbone: Backbone, engine: Engine
) -> None:
    tokens = make_encoder("deep-prompt")
    quiet = DeepPrompted(backbone.encoder(), tokens.rows, prompt_length=5, seed=0, quiet=True)
    rows = [Row(ids, Prompt()) for ids in tokens.rows]
    bare = np.stack([pooled(states) for states in engine.encode(rows)])
    places = range(len(TEXTS))
    quietly, loudly = (
        1 - (each.all_features(places).numpy() * bare).sum(axis=1).min() for each in (quiet, tokens)
    )
    assert quietly < 0.3 * loudly


def test_a_deep_prompt_starts_as_keys_and_values_of_tokens(
    make_encoder: MakeEncoder, backbone: Backbone
) -> None:
    encoder = make_encoder("deep-prompt", length=40)
    deep = encoder.prompt().deep
    shape = backbone.shape
    assert deep is not None
    assert deep.shape == (shape.prompted_layers, 2, 40, shape.d_attention)
    keys = []
    for row in encoder.rows:
        mask = torch.ones(1, len(row), dtype=torch.bool)
        bare = backbone.encoder()
        hidden = bare.trunk(bare.embedding(torch.tensor([row])), mask)
        keys.append(next(iter(bare.keys_and_values(hidden, mask)))[0][0])
    distance = (torch.from_numpy(deep[0, 0])[:, None] - torch.cat(keys)[None]).abs().amax(dim=2)
    assert distance.min(dim=1).values.max() < 1e-4


def test_trunk_states_are_the_same_cached_or_not(
    make_encoder: MakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = make_encoder("deep-prompt").features([2, 0])
    monkeypatch.setattr(models, "CACHE_BYTES", 0)
    computed = make_encoder("deep-prompt").features([2, 0])
    torch.testing.assert_close(computed, cached, atol=1e-5, rtol=0)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_peft_loads_what_is_saved(make_encoder: MakeEncoder, backbone: Backbone, tmp_path: Path) -> None:
    from peft import PeftModel

    encoder = make_encoder("soft-prompt")
    assert isinstance(encoder, SoftPrompted)
    encoder.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".md", ".safetensors"}
    loaded = PeftModel.from_pretrained(backbone.encoder_transformer(), str(tmp_path))
    assert loaded.peft_config["default"].base_model_name_or_path == backbone.name
    ids = torch.tensor([encoder.rows[0]])
    with torch.inference_mode():
        states = loaded(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    feature = pooled(states[0, -ids.shape[1] :].numpy())
    np.testing.assert_allclose(feature, encoder.all_features([0])[0].numpy(), atol=1e-5)


def test_a_prompt_is_extended_by_the_slots_that_each_row_expects(backbone: Backbone, engine: Engine) -> None:
    """What is trained is what `SlotHead.prompt_for` serves."""
    rows = [tuple(backbone.tokenizer.encode(text).ids) for text in TEXTS]
    encoder = DeepPrompted(backbone.encoder(), rows, prompt_length=4, seed=0, expected_slots=(3, 2))
    with torch.no_grad():
        encoder.context_parameters()[0].mul_(20)  # so that they matter
    asked = [(0,), (), (0, 2), (1,)]
    deep, vectors = encoder.prompt().deep, encoder.expected()
    assert deep is not None and vectors.shape == (3, *deep.shape[:2], 2, deep.shape[3])
    encoded = encoder.encode(range(len(TEXTS)), asked)
    for place, slots in enumerate(asked):
        prompt = Prompt(deep=np.concatenate([deep, *(vectors[slot] for slot in slots)], axis=2))
        [states] = engine.encode([Row(rows[place], prompt)])
        found = encoded.states[place, encoded.mask[place]].detach().numpy()
        np.testing.assert_allclose(found, states, atol=1e-3)
    without = encoder.encode([0, 1])
    assert not torch.allclose(without.states[0], encoded.states[0, : without.states.shape[1]], atol=1e-2)


def test_only_vectors_of_expected_slots_are_trained(backbone: Backbone) -> None:
    rows = [tuple(backbone.tokenizer.encode(text).ids) for text in TEXTS]
    encoder = DeepPrompted(backbone.encoder(), rows, prompt_length=4, seed=0, expected_slots=(3, 2))
    encoder.encode([0, 1], [(2,), ()]).states.sum().backward()  # type: ignore[no-untyped-call]
    [vectors] = encoder.context_parameters()
    assert vectors.grad is not None
    assert (vectors.grad.abs().amax(dim=(1, 2, 3, 4)) > 0).tolist() == [False, False, True]


def test_a_prompt_without_expected_slots_has_no_vectors_for_them(make_encoder: MakeEncoder) -> None:
    encoder = make_encoder("deep-prompt")
    assert encoder.context_parameters() == []
    assert isinstance(encoder, DeepPrompted) and encoder.expected().shape[0] == 0


def test_a_soft_prompt_cannot_be_extended(make_encoder: MakeEncoder) -> None:
    with pytest.raises(ValueError, match="only a deep prompt"):
        make_encoder("soft-prompt").encode([0], [(1,)])


def test_weights_in_half_precision_give_about_the_same_states(
    make_encoder: MakeEncoder, backbone: Backbone
) -> None:
    exact = make_encoder("deep-prompt")
    encoder = DeepPrompted(backbone.encoder().to(torch.bfloat16), exact.rows, prompt_length=5, seed=0)
    encoder.reset(exact.prompt())
    found = encoder.encode([0, 1])
    assert found.states.dtype == torch.float32
    torch.testing.assert_close(found.pooled(), exact.encode([0, 1]).pooled(), atol=0.02, rtol=0)
    assert {each.dtype for each in encoder.parameters()} == {torch.float32}
    assert next(backbone.encoder().parameters()).dtype == torch.float32
