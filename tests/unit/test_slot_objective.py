"""Objectives of slots over states that are given, so that a run takes milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nlu.prompt import Prompt
from nlu.slot_head import SlotHead
from nlu.slot_head import word_features as served_features
from skills.resolution import Resolver
from skills.slot import SlotLabel
from training.config import JointConfig, SlotConfig
from training.example import OUTSIDE, Example
from training.loop import tune
from training.models import Encoded, Expected, PromptedEncoder, token_features
from training.objective import IntentObjective
from training.slot_objective import JointObjective, SlotObjective, spans

O, B, I, B1 = range(4)  # noqa: E741 - as the tags are called


class Given(PromptedEncoder):
    """Rows of tokens whose states are fixed points, all moved by one trainable vector."""

    def __init__(self, rows: Sequence[tuple[int, ...]], points: Tensor) -> None:
        super().__init__(rows)
        self.width = points.shape[1]
        self._points = points
        self._shift = nn.Parameter(torch.zeros(self.width))
        self.asked: list[tuple[int, ...]] = []

    def parameters(self) -> list[nn.Parameter]:
        return [self._shift]

    def encode(self, indices: Sequence[int], expected: Expected = ()) -> Encoded:
        self.asked += [tuple(slots) for slots in expected]
        ids = nn.utils.rnn.pad_sequence([torch.tensor(self.rows[i]) for i in indices], batch_first=True)
        lengths = torch.tensor([len(self.rows[i]) for i in indices])
        return Encoded(self._points[ids] + self._shift, torch.arange(ids.shape[1]) < lengths[:, None])

    def prompt(self) -> Prompt:
        return Prompt(soft=self._shift.detach().clone()[None].numpy())


def as_they_are(example: Example, generator: np.random.Generator) -> Example:
    return example


def make_encoder() -> Given:
    """Token n is a word of tag n: outside, first and further word of label 0, first word of label 1."""
    rows = [(O, B, I), (B1, O), (O,), (B, B), (O, O, B1)]
    return Given(rows, torch.eye(4) + 0.1)


def examples(encoder: Given, intents: Sequence[int] = (OUTSIDE,) * 5) -> list[Example]:
    return [
        Example(place, intents[place], first=tuple(range(len(row))), tags=row)
        for place, row in enumerate(encoder.rows)
    ]


def config(**values: object) -> SlotConfig:
    return SlotConfig.make(**({"min_steps": 0, "max_steps": 60, "epochs": 1000, "head_rate": 0.05} | values))


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ((), []),
        ((O, O), []),
        ((B, I, I, O, B), [(0, 3, 0), (4, 5, 0)]),
        ((B, B, B1), [(0, 1, 0), (1, 2, 0), (2, 3, 1)]),
        ((B1, B1 + 1, O), [(0, 2, 1)]),
    ],
)
def test_spans_of_tags(tags: tuple[int, ...], found: list[tuple[int, int, int]]) -> None:
    assert spans(tags) == found


def test_features_are_those_that_are_served() -> None:
    states = torch.randn(5, 8)
    np.testing.assert_allclose(
        token_features(states).numpy(), served_features(states.numpy(), range(5)), rtol=1e-5
    )


def test_an_untrained_tagger_knows_nothing() -> None:
    encoder = make_encoder()
    objective = SlotObjective(4, 2, as_they_are)
    score = objective.measure(encoder, examples(encoder))
    assert score.quality == 0
    assert score.loss == pytest.approx(np.log(5))
    loss = objective.loss(encoder.encode(range(5)), examples(encoder))
    assert loss.item() == pytest.approx(np.log(5))


def test_learns_tags() -> None:
    encoder = make_encoder()
    objective = SlotObjective(4, 2, as_they_are)
    tune(encoder, objective, examples(encoder), examples(encoder), config())
    score = objective.measure(encoder, examples(encoder))
    assert score.quality == 1
    assert score.loss < 0.1
    weights, neighbours, bias = objective.weights()
    assert (weights.shape, neighbours.shape, bias.shape) == ((5, 4), (2, 5, 4), (5,))


def test_rows_without_words_teach_no_slots() -> None:
    encoder = make_encoder()
    objective = SlotObjective(4, 2, as_they_are)
    nothing = [Example(0), Example(2)]
    assert objective.loss(encoder.encode([0, 2]), nothing).item() == 0
    assert objective.measure(encoder, nothing).quality == 0


def test_contexts_are_drawn_for_training_and_kept_for_measuring() -> None:
    encoder = make_encoder()
    rows = [Example(0, first=(0,), tags=(O,), expected=(7,))]

    def drawn(example: Example, generator: np.random.Generator) -> Example:
        return Example(example.place, first=(0,), tags=(O,), expected=(3,))

    objective = SlotObjective(4, 2, drawn)
    tune(encoder, objective, rows, rows, config(max_steps=1))
    assert encoder.asked == [(3,), (7,)]


def test_vectors_of_contexts_have_a_rate_of_their_own() -> None:
    class WithContext(Given):
        """Expected slots move the states as well."""

        def __init__(self, rows: Sequence[tuple[int, ...]], points: Tensor) -> None:
            super().__init__(rows, points)
            self.context = nn.Parameter(torch.zeros(self.width))

        def context_parameters(self) -> list[nn.Parameter]:
            return [self.context]

        def encode(self, indices: Sequence[int], expected: Expected = ()) -> Encoded:
            encoded = super().encode(indices, expected)
            return Encoded(encoded.states + self.context, encoded.mask)

    def moved(rate: float | None) -> float:
        encoder = WithContext(make_encoder().rows, torch.eye(4) + 0.1)
        objective = SlotObjective(4, 2, as_they_are)
        settings = config(max_steps=2, warmup_share=0, prompt_rate=0.01)
        tune(encoder, objective, examples(encoder), None, settings, context_rate=rate)
        return float(encoder.context.detach().abs().max())

    assert moved(0.1) == pytest.approx(10 * moved(0.01), rel=0.5)
    assert moved(None) == moved(0.01)


def test_a_joint_objective_learns_both() -> None:
    encoder = make_encoder()
    rows = examples(encoder, intents=[0, 1, OUTSIDE, 0, 1])
    settings = JointConfig.make(min_steps=0, max_steps=80, epochs=1000, head_rate=0.05)
    inside = [row for row in rows if row.intent != OUTSIDE]
    intents, slots = IntentObjective(encoder, inside, settings), SlotObjective(4, 2, as_they_are)
    objective = JointObjective(intents, slots, intent_weight=1.0)
    tune(encoder, objective, rows, rows, settings)
    score = objective.measure(encoder, rows)
    assert slots.measure(encoder, rows).quality == intents.measure(encoder, inside).quality == 1
    assert score.quality == 1
    assert score.loss == pytest.approx(
        slots.measure(encoder, rows).loss + intents.measure(encoder, inside).loss
    )


def test_a_joint_batch_may_have_no_intents() -> None:
    encoder = make_encoder()
    rows = examples(encoder, intents=[0, 1, OUTSIDE, 0, 1])
    intents = IntentObjective(encoder, [rows[0], rows[1]], JointConfig.make())
    slots = SlotObjective(4, 2, as_they_are)
    objective = JointObjective(intents, slots, intent_weight=2.0)
    outside, encoded = [rows[2]], encoder.encode([2])
    assert objective.loss(encoded, outside).item() == slots.loss(encoded, outside).item()
    encoded = encoder.encode(range(5))
    inside = encoded.at([0, 1, 3, 4])
    expected = slots.loss(encoded, rows) + 2 * intents.loss(inside, [rows[i] for i in (0, 1, 3, 4)])
    assert objective.loss(encoded, rows).item() == pytest.approx(expected.item())


def test_scores_in_training_are_those_that_are_served() -> None:
    """Of several rows in one batch, each with the neighbours that its words have in that row."""
    encoder = make_encoder()
    objective = SlotObjective(4, 2, as_they_are)
    with torch.no_grad():
        for parameter in objective.parameters():
            parameter.normal_()
    rows = examples(encoder)
    encoded = encoder.encode(range(len(rows)))
    together = objective._scores(encoded, rows).detach().numpy()
    weights, neighbours, bias = objective.weights()
    labels = (SlotLabel("a"), SlotLabel("b"))
    head = SlotHead(labels, weights, bias, 1.0, Resolver({}), neighbours=neighbours)
    served = [
        head.scores(served_features(encoded.states[place].detach().numpy(), row.first))
        for place, row in enumerate(rows)
    ]
    np.testing.assert_allclose(together, np.concatenate(served), rtol=1e-4, atol=1e-5)
