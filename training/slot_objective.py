"""Tuning for slots, and for intents and slots at once.

Shapes: W words of all rows of a batch, S labels, T = 2S + 1 tags, D model size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.bio import viterbi
from nlu.prompt import Floats
from skills.slot_metrics import SpanScore
from training.example import OUTSIDE, Example
from training.models import Encoded, PromptedEncoder, token_features
from training.objective import IntentObjective, Objective, Score

Draw = Callable[[Example, np.random.Generator], Example]


class SlotObjective(Objective):
    """A linear tagger over the states of a word and its neighbours; its loss is the mean cross-entropy."""

    score_name = "F1"

    def __init__(self, width: int, labels: int, draw: Draw) -> None:
        """Begin with zeros, for S `labels`; `draw` gives each row the context that it is learned with."""
        tags = 2 * labels + 1
        self._weights = nn.Parameter(torch.zeros(tags, width))
        self._neighbours = nn.Parameter(torch.zeros(2, tags, width))  # of the words before and after
        self._bias = nn.Parameter(torch.zeros(tags))
        self._draw = draw

    def weights(self) -> tuple[Floats, Floats, Floats]:
        """Return copies of the tagger's (T, D) weights, (2, T, D) weights of neighbours, and (T,) bias."""
        weights, neighbours, bias = (each.detach().clone().numpy() for each in self.parameters())
        return weights, neighbours, bias

    def parameters(self) -> list[nn.Parameter]:
        return [self._weights, self._neighbours, self._bias]

    def drawn(self, examples: Sequence[Example], generator: np.random.Generator) -> Sequence[Example]:
        return [self._draw(each, generator) for each in examples]

    def loss(self, encoded: Encoded, examples: Sequence[Example]) -> Tensor:
        tags = _tags(examples)
        return F.cross_entropy(self._scores(encoded, examples), tags, reduction="sum") / max(len(tags), 1)

    @torch.no_grad()
    def measure(self, encoder: PromptedEncoder, examples: Sequence[Example]) -> Score:
        total, words, right, found, expected = 0.0, 0, 0, 0, 0
        places, asked = [each.place for each in examples], [each.expected for each in examples]
        for chunk, encoded in encoder.batches(places, asked):
            rows = [examples[i] for i in chunk]
            scores = self._scores(encoded, rows)
            total += F.cross_entropy(scores, _tags(rows), reduction="sum").item()
            words += len(scores)
            parts = torch.split(scores, [len(row.tags) for row in rows])
            for row, part in zip(rows, parts, strict=True):
                answered, marked = set(viterbi(part.numpy())), set(spans(row.tags))
                right += len(answered & marked)
                found += len(answered)
                expected += len(marked)
        return Score(SpanScore(expected, found, right).f1, total / max(words, 1))

    def _scores(self, encoded: Encoded, examples: Sequence[Example]) -> Tensor:
        """Return (W, T) scores of the words of all rows, one row after the other."""
        rows = torch.tensor([row for row, each in enumerate(examples) for _ in each.first], dtype=torch.long)
        first = torch.tensor([token for each in examples for token in each.first], dtype=torch.long)
        features = token_features(encoded.states[rows, first])
        together = (rows[1:] == rows[:-1])[:, None]  # a word and the next one are of one row
        before = F.pad(features[:-1] * together, (0, 0, 1, 0))[: len(rows)]  # no words, no padding
        after = F.pad(features[1:] * together, (0, 0, 0, 1))[: len(rows)]
        weights = torch.cat([self._weights, *self._neighbours], dim=1)
        return torch.cat([features, before, after], dim=1) @ weights.T + self._bias


class JointObjective(Objective):
    """Intents and slots from one encoder row; the quality is the mean of accuracy and F1."""

    score_name = "accuracy and F1"

    def __init__(self, intents: IntentObjective, slots: SlotObjective, *, intent_weight: float) -> None:
        self.intents = intents
        self.slots = slots
        self._intent_weight = intent_weight

    def parameters(self) -> list[nn.Parameter]:
        return [*self.intents.parameters(), *self.slots.parameters()]

    def drawn(self, examples: Sequence[Example], generator: np.random.Generator) -> Sequence[Example]:
        return self.slots.drawn(examples, generator)

    def loss(self, encoded: Encoded, examples: Sequence[Example]) -> Tensor:
        loss = self.slots.loss(encoded, examples)
        inside = [row for row, each in enumerate(examples) if each.intent != OUTSIDE]
        if not inside:
            return loss
        intents = self.intents.loss(encoded.at(inside), [examples[row] for row in inside])
        return loss + self._intent_weight * intents

    def measure(self, encoder: PromptedEncoder, examples: Sequence[Example]) -> Score:
        inside = [each for each in examples if each.intent != OUTSIDE]
        intents, slots = self.intents.measure(encoder, inside), self.slots.measure(encoder, examples)
        return Score((intents.quality + slots.quality) / 2, intents.loss + slots.loss)


def spans(tags: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the spans of valid tags as `nlu.bio.viterbi` does: first word, word after the last, label."""
    found: list[tuple[int, int, int]] = []
    for word, tag in enumerate(tags):
        if tag % 2:
            found.append((word, word + 1, tag // 2))
        elif tag:
            start, _, label = found[-1]
            found[-1] = start, word + 1, label
    return found


def _tags(examples: Sequence[Example]) -> Tensor:
    return torch.tensor([tag for each in examples for tag in each.tags], dtype=torch.long)
