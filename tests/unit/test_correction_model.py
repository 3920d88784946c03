from __future__ import annotations

import numpy as np
import pytest
import torch

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.corrector import START, CorrectionRow, Corrector
from nlu.engine.torch_decoder import TorchDecoder
from nlu.engine.torch_engine import TorchEngine
from training.config import CorrectionConfig
from training.correction_gate import gated
from training.correction_loop import held_out_loss, tune_corrections
from training.correction_model import CorrectionModel, TrainedVectors
from training.correction_pairs import Pair, make_pair

SENTENCES = (
    ("I has a cat.", "I have a cat."),
    ("She have a dog.", "She has a dog."),
    ("They has two birds.", "They have two birds."),
    ("I have a cat.", "I have a cat."),
    ("She has a dog.", "She has a dog."),
    ("They have two birds.", "They have two birds."),
)


@pytest.fixture(scope="module")
def pairs(backbone: Backbone) -> list[Pair]:
    return [make_pair(backbone, *each) for each in SENTENCES]


@pytest.fixture
def model(backbone: Backbone, pairs: list[Pair]) -> CorrectionModel:
    return CorrectionModel(backbone, pairs, prompt_length=4, seed=1, dtype=torch.float32)


def test_only_prompts_and_detector_are_trained(model: CorrectionModel, pairs: list[Pair]) -> None:
    correcting, detecting = model.losses(pairs)
    (correcting + detecting).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.trained())
    names = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert names == {"encoder_prompt", "own_prompt", "memory_prompt", "detector.weight", "detector.bias"}


@torch.no_grad()
def test_what_is_trained_is_what_is_served(model: CorrectionModel, pairs: list[Pair]) -> None:
    """The loss is that of the tokens as the corrector computes their probabilities."""
    pair = pairs[0]
    states, _ = model.encode([pair.source])
    prompt = model.vectors().decoder_prompt
    corrector = Corrector(TorchDecoder(model.decoder, Compute("cpu", Precision.FLOAT32, 1)))
    [found] = corrector.correct([CorrectionRow(pair.source, states[0].numpy(), prompt)])
    said = Pair(pair.source, pair.wrong, (*found.token_ids, 1))
    logits = model.decoder.lm_head(
        model.decode(states, torch.ones(1, len(pair.source), dtype=torch.bool), torch.tensor([said.target]))
    )[0]
    assert logits.argmax(-1).tolist()[: len(found.token_ids)] == list(found.token_ids)
    np.testing.assert_allclose(
        logits.softmax(-1).max(-1).values[: len(found.token_ids)], found.probabilities, atol=1e-4
    )
    assert START not in found.token_ids


def test_vectors_put_back_give_the_same_loss(model: CorrectionModel, pairs: list[Pair]) -> None:
    before, vectors = held_out_loss(model, pairs, 1.0), model.vectors()
    with torch.no_grad():
        for parameter in model.trained():
            parameter.add_(0.5)
    assert held_out_loss(model, pairs, 1.0) != pytest.approx(before)
    model.reset(vectors)
    assert held_out_loss(model, pairs, 1.0) == pytest.approx(before)


def tuned(model: CorrectionModel, pairs: list[Pair], **settings: object) -> TrainedVectors:
    config = CorrectionConfig.make(**{"batch_rows": 6, "max_steps": 12, "min_steps": 12, **settings})
    return tune_corrections(
        model, pairs, pairs, config, np.random.default_rng(1), on_progress=lambda progress: None
    )


def test_tuning_lowers_the_held_out_loss(model: CorrectionModel, pairs: list[Pair]) -> None:
    before = held_out_loss(model, pairs, 0.5)
    model.reset(tuned(model, pairs))
    assert held_out_loss(model, pairs, 0.5) < 0.8 * before


def test_a_run_that_only_spoils_returns_the_start(model: CorrectionModel, pairs: list[Pair]) -> None:
    model.reset(tuned(model, pairs))
    start = model.vectors()
    best = tuned(model, pairs, prompt_rate=1.0, head_rate=1.0, max_steps=2, min_steps=2)
    np.testing.assert_array_equal(best.own, start.own)


@pytest.mark.parametrize("left_alone", [0.5, 1.0])
def test_the_gate_leaves_the_wished_share_of_clean_sentences_alone(
    model: CorrectionModel, pairs: list[Pair], left_alone: float
) -> None:
    """An untrained decoder edits everything, so only the gate keeps clean sentences as they are."""
    compute = Compute("cpu", Precision.FLOAT32, 1)
    vectors = model.vectors()
    vectors.detector[:] = 0.05 * np.random.default_rng(1).standard_normal(len(vectors.detector))
    engine = TorchEngine(model.encoder, compute)
    corrector = Corrector(TorchDecoder(model.decoder, compute))
    head = gated(vectors, pairs, engine, corrector, left_alone)
    clean = [pair for pair in pairs if not pair.has_error]
    with torch.no_grad():
        states = [model.encode([pair.source])[0][0].numpy() for pair in clean]
    flagged = sum(head.flags(head.error_probability(each)) for each in states)
    assert flagged == int((1 - left_alone) * len(clean))
