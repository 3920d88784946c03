"""The intent head: prototypes over the prompted encoder's features, fused with the lexical expert.

Plain numpy: heads run outside the engine, and a server without torch can run them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlu.exemplar_expert import ExemplarExpert
from nlu.half import Floats, Halves, widened
from nlu.lexical import LexicalExpert
from skills.parse import IntentAnswer, IntentScore, Outcome
from skills.skill import Calibration


def pooled(states: Floats) -> Floats:
    """Return the (D,) feature of a text: the mean of its (tokens, D) hidden states, at unit length."""
    mean = np.add.reduce(states, axis=0) / np.float32(len(states))  # .mean(), in half the time
    feature: Floats = mean / max(math.sqrt(mean @ mean), 1e-6)
    return feature


def token_features(states: Floats) -> Floats:
    """Return (tokens, D) hidden states, each at length sqrt(D): what taggers and detectors read."""
    norms = np.linalg.norm(states, axis=1, keepdims=True).clip(1e-6)
    scaled: Floats = states * (math.sqrt(states.shape[1]) / norms)
    return scaled


@dataclass(frozen=True, eq=False)
class IntentHead:
    """Scores labels for one utterance.

    prototypes: (labels, D) at unit length, or at `lengths` (labels, 1) as they are stored. A label's score
    is `scale * cosine + lexical_weight * lexical`; `exemplars` know better what is near them.
    """

    labels: tuple[str, ...]
    prototypes: Halves
    scale: float
    lexical: LexicalExpert | None
    lexical_weight: float
    calibration: Calibration
    lengths: Floats | None = None
    exemplars: ExemplarExpert | None = None

    @property
    def unit_prototypes(self) -> Floats:
        """(labels, D) at unit length."""
        prototypes = widened(self.prototypes)
        return prototypes if self.lengths is None else prototypes / self.lengths

    def scores(self, texts: Sequence[str], features: Floats) -> Floats:
        """Return (rows, labels) fused scores of rows: texts, and (rows, D) features from `pooled`."""
        scores = self.scale * (features @ self.unit_prototypes.T)
        if self.lexical is None or not self.lexical_weight or not len(texts):
            return scores
        return scores + self.lexical_weight * np.stack([self.lexical.scores(text) for text in texts])

    def predict(self, texts: Sequence[str], features: Floats) -> HeadOutput:
        """Score rows: their texts, and their (rows, D) features from `pooled`."""
        scores, nearness = self.scores(texts, features), None
        if self.exemplars is not None:
            scores, nearness = self.exemplars.fuse(texts, features, scores, scale=self.scale)
        in_scope = scope_probability(energy(scores), self.calibration)
        if nearness is not None:
            in_scope = np.maximum(in_scope, nearness)  # someone has said that such a text has an intent
        return HeadOutput(label_probabilities(scores, self.calibration.temperature), in_scope)

    def answer(
        self, text: str, states: Floats, *, n_best: int = 5, min_confidence: float = 0.0
    ) -> IntentAnswer:
        """Answer one non-blank text from its (tokens, D) hidden states."""
        output = self.predict([text], pooled(states)[None])
        probabilities, in_scope = output.probabilities[0], float(output.in_scope[0])
        best = np.argsort(-probabilities, kind="stable")
        lead = probabilities[best[0]] - probabilities[best[1]]
        if in_scope < self.calibration.scope_threshold or probabilities[best[0]] < min_confidence:
            outcome = Outcome.OUT_OF_SCOPE
        elif lead < self.calibration.ambiguity_margin:
            outcome = Outcome.AMBIGUOUS
        else:
            outcome = Outcome.MATCHED
        ranking = tuple(IntentScore(self.labels[i], float(probabilities[i])) for i in best[:n_best])
        return IntentAnswer(outcome, ranking, in_scope)


@dataclass(frozen=True, eq=False)
class HeadOutput:
    """What a head says of a batch of rows.

    probabilities: (rows, labels), given that the row is in scope; in_scope: (rows,) probability of that.
    """

    probabilities: Floats
    in_scope: NDArray[np.float64]


def label_probabilities(scores: Floats, temperature: float) -> Floats:
    """Return (rows, labels) softmax of `scores / temperature`."""
    tempered = scores / temperature
    exponent = np.exp(tempered - tempered.max(axis=1, keepdims=True))
    probabilities: Floats = exponent / exponent.sum(axis=1, keepdims=True)
    return probabilities


def energy(scores: Floats) -> NDArray[np.float64]:
    """Return (rows,) evidence that a row is about any of the labels: log-sum-exp of (rows, labels) scores.

    Liu et al. 2020, "Energy-based Out-of-distribution Detection". The scores are centred first, as training
    leaves it open what all of a row's scores have in common. The nearest cosine, the best score and its lead
    over the second added nothing to it (CLINC150, benchmarks/RESULTS.md).
    """
    centred = scores.astype(np.float64) - scores.mean(axis=1, keepdims=True)
    best = centred.max(axis=1, keepdims=True)
    total: NDArray[np.float64] = best[:, 0] + np.log(np.exp(centred - best).sum(axis=1))
    return total


def scope_probability(energies: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """Return (rows,) probabilities of being in scope."""
    logit = calibration.scope_weight * energies + calibration.scope_bias
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logit, -60, 60)))
    return probability
