"""Decoding by verification against greedy decoding as transformers does it, token by token."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import DynamicCache, EncoderDecoderCache, T5ForConditionalGeneration

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.corrector import END, GROWTH, START, CorrectionRow, Corrector
from nlu.engine import make_decoder
from nlu.prompt import DecoderPrompt
from nlu.tokens import tokenise

TEXTS = (
    "she go to school every days",
    "I has two cat .",
    "Translate to German: where is the station?",
    "Answer the question. What is the capital of France?",
    "ok",
    "a a a a a a",
    "Summarize: the card that I ordered on Monday has still not arrived, and nobody answers my letters.",
)


@pytest.fixture(scope="module")
def reference(backbone: Backbone) -> T5ForConditionalGeneration:
    return backbone.transformer()


@pytest.fixture(scope="module")
def corrector(backbone: Backbone) -> Corrector:
    """The exact one."""
    return Corrector(make_decoder(backbone, Compute("cpu", Precision.FLOAT32, 1)))


@pytest.fixture(scope="module")
def rounded(backbone: Backbone) -> Corrector:
    """The fast one, which rounds to int8."""
    return Corrector(make_decoder(backbone, Compute("cpu", Precision.BFLOAT16, 1), "openvino"))


@pytest.fixture(params=["corrector", "rounded"])
def any_corrector(request: pytest.FixtureRequest) -> Corrector:
    found: Corrector = request.getfixturevalue(request.param)
    return found


def decoder_prompt(backbone: Backbone, length: int, *, seed: int) -> DecoderPrompt:
    """Return a prompt that is weak enough to leave the model its tongue."""
    generator = np.random.default_rng(seed)
    shape = backbone.decoder_shape
    size = (shape.num_layers, 2, length, shape.d_attention)
    own, memory = (0.3 * generator.standard_normal(size, np.float32) for _ in range(2))
    return DecoderPrompt(own, memory)


@pytest.fixture(scope="module")
def rows(backbone: Backbone) -> list[CorrectionRow]:
    """The texts, of two skills whose prompts are of different lengths."""
    prompts = [decoder_prompt(backbone, 4, seed=1), decoder_prompt(backbone, 7, seed=2)]
    encoder = backbone.encoder()
    rows = []
    for place, text in enumerate(TEXTS):
        ids = tokenise(backbone, text).ids
        tokens = torch.tensor([ids])
        with torch.inference_mode():
            states = encoder(tokens, torch.ones_like(tokens, dtype=torch.bool))[0].numpy()
        rows.append(CorrectionRow(ids, states, prompts[place % 2]))
    return rows


@torch.inference_mode()
def greedy(model: T5ForConditionalGeneration, row: CorrectionRow) -> tuple[int, ...]:
    """Decode token by token with transformers; the prompt is a past, as PEFT gives it."""
    own, beside = torch.from_numpy(row.prompt.own), torch.from_numpy(row.prompt.memory)
    states = torch.from_numpy(row.states)
    heads = model.config.num_heads
    past, memory = DynamicCache(), DynamicCache()
    for layer, block in enumerate(model.decoder.block):
        attention = block.layer[1].EncDecAttention
        read = (attention.k(states), attention.v(states))
        kv = [torch.cat([beside[layer, i], each]) for i, each in enumerate(read)]
        past.update(*(_heads(each, heads) for each in own[layer]), layer)
        memory.update(*(_heads(each, heads) for each in kv), layer)
    cache = EncoderDecoderCache(past, memory)
    cache.is_updated = dict.fromkeys(range(len(model.decoder.block)), True)
    length = row.prompt.length + len(states)
    tokens = [START]
    while tokens[-1] != END and len(tokens) <= 3 * row.length // 2 + GROWTH:
        hidden = model.decoder(
            input_ids=torch.tensor([tokens[-1:]]),
            past_key_values=cache,
            use_cache=True,
            encoder_hidden_states=torch.zeros(1, length, states.shape[1]),
            encoder_attention_mask=torch.ones(1, length),
        ).last_hidden_state
        tokens.append(int(model.lm_head(hidden)[0, -1].argmax()))
    return tuple(token for token in tokens[1:] if token != END)


def _heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    size, width = states.shape
    return states.view(size, heads, width // heads).transpose(0, 1)[None]


def test_equals_greedy_decoding_of_transformers(
    corrector: Corrector, reference: T5ForConditionalGeneration, rows: list[CorrectionRow]
) -> None:
    expected = [greedy(reference, row) for row in rows]
    assert len(set(expected)) > 3  # the model says different things, so equality means something
    assert [each.token_ids for each in corrector.correct(rows)] == expected


def test_a_row_is_decoded_alike_alone_and_among_others(
    any_corrector: Corrector, corrector: Corrector, rows: list[CorrectionRow]
) -> None:
    tolerance = 1e-4 if any_corrector is corrector else 0.02  # attention in bfloat16 adds up in another order
    together = any_corrector.correct(rows)
    for row, found in zip(rows, together, strict=True):
        [alone] = any_corrector.correct([row])
        assert alone.token_ids == found.token_ids
        np.testing.assert_allclose(alone.probabilities, found.probabilities, atol=tolerance)


def test_what_is_repeated_takes_few_passes(backbone: Backbone, any_corrector: Corrector) -> None:
    """The draft is the source: where the decoder agrees, one pass takes many tokens."""
    text = "Answer the question. What is the capital of France?"
    [row] = [each for each in _rows(backbone, text)]
    [first] = any_corrector.correct([row])
    assert first.token_ids
    again = CorrectionRow((*first.token_ids, END), row.states, row.prompt)
    [second] = any_corrector.correct([again])
    assert second.token_ids == first.token_ids
    assert second.passes == 1


def test_probabilities_are_of_the_tokens(any_corrector: Corrector, rows: list[CorrectionRow]) -> None:
    for found in any_corrector.correct(rows):
        assert len(found.probabilities) == len(found.token_ids)
        assert all(0 < each <= 1 for each in found.probabilities)
        assert found.passes <= len(found.token_ids) + 1


def test_rounding_says_nearly_the_same(
    corrector: Corrector, rounded: Corrector, rows: list[CorrectionRow]
) -> None:
    """With prompts of random vectors, half of the tokens are close calls; a wrong graph says none of them."""
    exact, found = corrector.correct(rows), rounded.correct(rows)
    same = sum(
        left == right
        for pair in zip(exact, found, strict=True)
        for left, right in zip(*(each.token_ids for each in pair), strict=False)
    )
    assert same > 0.5 * sum(len(each.token_ids) for each in exact)


def test_no_rows(corrector: Corrector) -> None:
    assert corrector.correct([]) == []


def _rows(backbone: Backbone, text: str) -> list[CorrectionRow]:
    ids = tokenise(backbone, text).ids
    tokens = torch.tensor([ids])
    with torch.inference_mode():
        states = backbone.encoder()(tokens, torch.ones_like(tokens, dtype=torch.bool))[0].numpy()
    shape = backbone.decoder_shape
    empty = np.zeros((shape.num_layers, 2, 0, shape.d_attention), np.float32)
    return [CorrectionRow(ids, states, DecoderPrompt(empty, empty))]


@pytest.mark.parametrize(("rows_of_a_pass", "pass_tokens"), [(1, 256), (2, 1), (3, 40)])
def test_rows_that_wait_for_a_slot_are_decoded_alike(
    any_corrector: Corrector,
    rows: list[CorrectionRow],
    monkeypatch: pytest.MonkeyPatch,
    rows_of_a_pass: int,
    pass_tokens: int,
) -> None:
    """Slots are used again, and drafts are as long as the pass has room for."""
    expected = [each.token_ids for each in any_corrector.correct(rows)]
    monkeypatch.setattr("nlu.corrector.ROWS", rows_of_a_pass)
    monkeypatch.setattr("nlu.corrector.PASS_TOKENS", pass_tokens)
    assert [each.token_ids for each in any_corrector.correct([*rows, *rows])] == 2 * expected


def test_a_row_that_is_no_number_spoils_no_other(any_corrector: Corrector, rows: list[CorrectionRow]) -> None:
    """Rows of other skills share its passes, and then its slot."""
    spoilt = [CorrectionRow(row.token_ids, row.states * np.nan, row.prompt) for row in rows]
    expected = [each.token_ids for each in any_corrector.correct(rows)]
    found = any_corrector.correct([*spoilt, *rows])
    assert [each.token_ids for each in found[len(rows) :]] == expected
