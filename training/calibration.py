"""Fit what turns scores into honest probabilities, on rows that the prompt was not trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve
from sklearn.preprocessing import StandardScaler

from nlu.head import IntentHead, label_probabilities, scope_features, scope_probability
from nlu.prompt import Floats
from skills.skill import Calibration

LEXICAL_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # above 1 the n-grams outvote what the prompt has learned
REAL_OOS_ROWS = 50  # with at least so many out-of-scope examples, no pseudo ones are made
MASKED = -1e4


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
    fits = {weight: _temperature(head.scale * cosines + weight * lexical, labels) for weight in LEXICAL_WEIGHTS}
    weight = min(fits, key=lambda weight: fits[weight][1])
    head = replace(head, lexical_weight=weight, lexical=head.lexical if weight else None)
    scores = head.scale * cosines + weight * lexical
    oos_scores = head.scale * oos_cosines + weight * oos_lexical
    inside = scope_features(cosines, scores)
    outside = scope_features(oos_cosines, oos_scores)
    if len(outside) < REAL_OOS_ROWS:
        # What a row looks like to the other labels stands in for a row that belongs to none of them.
        right = np.eye(cosines.shape[1], dtype=bool)[labels]
        masked_cosines = np.where(right, -1.0, cosines).astype(np.float32)
        pseudo = scope_features(masked_cosines, np.where(right, MASKED, scores).astype(np.float32))
        outside = np.concatenate([outside, pseudo])
    scope = _scope(inside, outside, in_scope_kept)
    return replace(head, calibration=replace(scope, temperature=fits[weight][0]))


def _temperature(scores: Floats, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Return the temperature of least held-out loss, and that loss (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        probabilities = label_probabilities(scores, float(np.exp(log_temperature)))
        return float(-np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())

    fit = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(fit.x)), float(fit.fun)


def _scope(inside: NDArray[np.float64], outside: NDArray[np.float64], in_scope_kept: float) -> Calibration:
    """Fit the probability of being in scope, and the threshold that separates best while keeping enough."""
    features = np.concatenate([inside, outside])
    truth = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(class_weight="balanced").fit(scaler.transform(features), truth)
    weights = model.coef_[0] / scaler.scale_
    bias = float(model.intercept_[0] - weights @ scaler.mean_)
    fitted = Calibration(scope_weights=tuple(map(float, weights)), scope_bias=bias)
    probability = scope_probability(features, fitted)
    false_accepts, kept, thresholds = roc_curve(truth, probability, drop_intermediate=False)
    allowed = kept >= in_scope_kept
    best = np.argmax((kept - false_accepts)[allowed])
    return replace(fitted, scope_threshold=float(np.clip(thresholds[allowed][best], 0.0, 1.0)))
