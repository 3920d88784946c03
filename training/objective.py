"""What a prompt is tuned for: the loss of a batch, and how good a state is on held-out rows.

Shapes: B rows of a batch, C labels, D model size.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.prompt import Floats
from training.config import IntentSettings
from training.example import Example
from training.models import Encoded, PromptedEncoder


@dataclass(frozen=True)
class Score:
    """How good a state is on held-out rows: a share that is right, and a loss for what that does not tell."""

    quality: float
    loss: float

    def better_than(self, other: Score) -> bool:
        """Whether more is right or, of equals, the loss is less."""
        return (self.quality, -self.loss) > (other.quality, -other.loss)


class Objective(ABC):
    """A head in training."""

    score_name: str  # what `Score.quality` is, for messages

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """What is trained besides the prompt."""

    @abstractmethod
    def loss(self, encoded: Encoded, examples: Sequence[Example]) -> Tensor:
        """Return the loss of a batch, with gradients."""

    @abstractmethod
    def measure(self, encoder: PromptedEncoder, examples: Sequence[Example]) -> Score:
        """Return how good the present state is on held-out rows."""

    def drawn(self, examples: Sequence[Example], generator: np.random.Generator) -> Sequence[Example]:
        """Return a batch as it is to be learned this time; changes nothing here."""
        return examples


class IntentObjective(Objective):
    """Prototypes of labels.

    Loss: cross-entropy of scaled cosines against normalised prototypes, label-smoothed, plus a supervised
    contrastive term (Khosla et al. 2020, "Supervised Contrastive Learning").
    """

    score_name = "accuracy"

    def __init__(
        self, encoder: PromptedEncoder, examples: Sequence[Example], settings: IntentSettings
    ) -> None:
        """Begin with the class means of the examples, of which every label has some."""
        features = encoder.all_features([each.place for each in examples])
        self._prototypes = nn.Parameter(_class_means(features, _labels(examples)))
        self._settings = settings

    def prototypes(self) -> Floats:
        """Return a copy of the (C, D) prototypes at unit length."""
        prototypes: Floats = F.normalize(self._prototypes.detach(), dim=-1).numpy()
        return prototypes

    def parameters(self) -> list[nn.Parameter]:
        return [self._prototypes]

    def loss(self, encoded: Encoded, examples: Sequence[Example]) -> Tensor:
        features, labels = encoded.pooled(), _labels(examples)
        loss = F.cross_entropy(self._scores(features), labels, label_smoothing=self._settings.label_smoothing)
        if not self._settings.contrastive_weight:
            return loss
        itself = torch.eye(len(labels), dtype=torch.bool)
        similar = features @ features.T / self._settings.contrastive_temperature  # (B, B)
        similar = similar.masked_fill(itself, -1e4)
        positive = (labels[:, None] == labels[None]) & ~itself
        counts = positive.sum(1)
        paired = counts > 0
        if not paired.any():
            return loss
        contrast = -(similar.log_softmax(1) * positive).sum(1)[paired] / counts[paired]
        return loss + self._settings.contrastive_weight * contrast.mean()

    @torch.no_grad()
    def measure(self, encoder: PromptedEncoder, examples: Sequence[Example]) -> Score:
        labels = _labels(examples)
        features = encoder.all_features(
            [each.place for each in examples], [each.expected for each in examples]
        )
        scores = self._scores(features)
        accuracy = (scores.argmax(1) == labels).float().mean().item()
        return Score(accuracy, F.cross_entropy(scores, labels).item())

    def _scores(self, features: Tensor) -> Tensor:
        """Return (B, C) scores of (B, D) features."""
        return self._settings.scale * features @ F.normalize(self._prototypes, dim=-1).T


def _class_means(features: Tensor, labels: Tensor) -> Tensor:
    """Return the (C, D) unit-length means of each label's features."""
    sums = features.new_zeros(int(labels.max()) + 1, features.shape[1]).index_add_(0, labels, features)
    return F.normalize(sums, dim=-1)


def _labels(examples: Sequence[Example]) -> Tensor:
    return torch.tensor([each.intent for each in examples])
