"""Fit what turns scores into honest probabilities, on rows that the prompt was not trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve
from sklearn.preprocessing import StandardScaler

from nlu.bio import span_probabilities, viterbi
from nlu.head import IntentHead, energy, label_probabilities, scope_probability
from nlu.prompt import Floats
from skills.skill import Calibration

LEXICAL_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # above 1 the n-grams outvote what the prompt has learned
USUAL_WEIGHT = 0.25  # best on held-out rows of BANKING77, at 10 rows a label and at 30, and without any
SLOT_LOG_TEMPERATURES = (-1.0, 3.0)  # a tagger is hardly too modest; few rows that are all right say so
REAL_OOS_ROWS = 50  # with at least so many out-of-scope examples, no pseudo ones are made


def calibrate(
    head: IntentHead,
    *,
    cosines: Floats,
    lexical: Floats,
    labels: NDArray[np.int64],
    oos_cosines: Floats,
    oos_lexical: Floats,
    in_scope_kept: float,
) -> IntentHead:
    """Return `head` with its lexical weight, temperature and out-of-scope threshold fitted.

    Args:
        cosines, lexical: (rows, labels) of held-out rows in scope; `labels` (rows,) are the right ones.
        oos_cosines, oos_lexical: (oos rows, labels) of out-of-scope examples, possibly none.
        in_scope_kept: share of the rows in scope that the threshold must accept.
    """
    fits = {
        weight: _temperature(head.scale * cosines + weight * lexical, labels) for weight in LEXICAL_WEIGHTS
    }
    weight = _usual_weight({weight: losses for weight, (_, losses) in fits.items()})
    head = replace(head, lexical_weight=weight, lexical=head.lexical if weight else None)
    scores = head.scale * cosines + weight * lexical
    outside = energy(head.scale * oos_cosines + weight * oos_lexical)
    if len(outside) < REAL_OOS_ROWS:
        outside = np.concatenate([outside, energy(_without_right(scores, labels))])
    scope = _scope(energy(scores), outside, in_scope_kept)
    return replace(head, calibration=replace(scope, temperature=fits[weight][0]))


def lexical_scores(head: IntentHead, texts: Sequence[str]) -> Floats:
    """Return (texts, labels) scores of the n-gram expert, zero without one."""
    if head.lexical is None or not texts:
        return np.zeros((len(texts), len(head.labels)), np.float32)
    return np.stack([head.lexical.scores(text) for text in texts])


def shifted(head: IntentHead, energy_lost: float) -> IntentHead:
    """Move the scope calibration along when a second run gives the rows of the first one other energies."""
    bias = head.calibration.scope_bias + head.calibration.scope_weight * energy_lost
    return replace(head, calibration=replace(head.calibration, scope_bias=bias))


def calibrated_as(judged: IntentHead, fresh: IntentHead) -> IntentHead:
    """Return a later run's head with what an earlier one was calibrated to."""
    lexical = fresh.lexical if judged.lexical else None
    weight = judged.lexical_weight if lexical else 0.0
    return replace(fresh, lexical=lexical, lexical_weight=weight, calibration=judged.calibration)


def slot_temperature(scores: Sequence[Floats], marked: Sequence[Sequence[tuple[int, int, int]]]) -> float:
    """Return the temperature that makes the confidences of spans most honest.

    Args:
        scores: (words, tags) of each held-out row, at temperature 1.
        marked: the right spans of each row: first word, word after the last, label.

    Returns:
        That of least cross-entropy over the spans answered, which do not depend on it; 1 if there are none.
    """
    spans = [viterbi(row) for row in scores]
    truth = np.array([each in right for row, right in zip(spans, marked, strict=True) for each in row])
    if not len(truth):
        return 1.0

    def loss(log_temperature: float) -> float:
        found = [
            _confidences(row / np.exp(log_temperature), each)
            for row, each in zip(scores, spans, strict=True)
            if each
        ]
        probabilities = np.concatenate(found)
        return float(-np.log(np.where(truth, probabilities, 1 - probabilities) + 1e-6).mean())

    fit = minimize_scalar(loss, bounds=SLOT_LOG_TEMPERATURES, method="bounded", options={"xatol": 0.02})
    return float(np.exp(fit.x))


def _confidences(scores: Floats, spans: Sequence[tuple[int, int, int]]) -> NDArray[np.float64]:
    """Return (spans,) probabilities."""
    starts, ends, labels = np.array(spans).T
    probabilities: NDArray[np.float64] = span_probabilities(scores, starts, ends)
    chosen: NDArray[np.float64] = probabilities[np.arange(len(spans)), labels]
    return chosen


def _without_right(scores: Floats, labels: NDArray[np.int64]) -> Floats:
    """Return (rows, labels) scores with the right label's put to the mean of the others.

    What a row looks like to the other labels stands in for a row that belongs to none of them.
    """
    rows = np.arange(len(labels))
    others = (scores.sum(axis=1) - scores[rows, labels]) / (scores.shape[1] - 1)
    masked = scores.copy()
    masked[rows, labels] = others
    return masked


def _usual_weight(losses: Mapping[float, NDArray[np.float64]]) -> float:
    """Return the weight next to the usual one that is as good as the best, within a standard error.

    Few held-out rows choose by chance; what served best elsewhere is then the better guess. `losses` has
    those of each weight, (rows,).
    """
    best = min(losses.values(), key=np.mean)
    good = [
        weight
        for weight, each in losses.items()
        if np.mean(each - best) <= np.std(each - best) / math.sqrt(len(best))
    ]
    return min(good, key=lambda weight: abs(weight - USUAL_WEIGHT))


def _temperature(scores: Floats, labels: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """Return the temperature of least held-out loss, and the (rows,) losses there (Guo et al. 2017)."""

    def losses(log_temperature: float) -> NDArray[np.float64]:
        probabilities = label_probabilities(scores, float(np.exp(log_temperature)))
        each: NDArray[np.float64] = -np.log(probabilities[np.arange(len(labels)), labels] + 1e-12)
        return each

    fit = minimize_scalar(lambda x: float(losses(x).mean()), bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(fit.x)), losses(fit.x)


def _scope(inside: NDArray[np.float64], outside: NDArray[np.float64], in_scope_kept: float) -> Calibration:
    """Fit the probability of being in scope to energies, and the threshold that separates best.

    The threshold keeps at least `in_scope_kept` of `inside`. Both kinds of rows weigh the same.
    """
    energies = np.concatenate([inside, outside])
    truth = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    scaler = StandardScaler().fit(energies[:, None])
    model = LogisticRegression(class_weight="balanced").fit(scaler.transform(energies[:, None]), truth)
    weight = float(model.coef_[0, 0] / scaler.scale_[0])
    bias = float(model.intercept_[0] - weight * scaler.mean_[0])
    fitted = Calibration(scope_weight=weight, scope_bias=bias)
    false_accepts, kept, thresholds = roc_curve(
        truth, scope_probability(energies, fitted), drop_intermediate=False
    )
    allowed = kept >= in_scope_kept
    best = np.argmax((kept - false_accepts)[allowed])
    return replace(fitted, scope_threshold=float(np.clip(thresholds[allowed][best], 0.0, 1.0)))
