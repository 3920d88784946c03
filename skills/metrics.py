"""How well an intent skill answers, measured on rows that it was not trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_recall_fscore_support, roc_auc_score

from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL

BINS = 15  # as Guo et al. 2017, so that values compare

Floats = NDArray[np.floating]
Integers = NDArray[np.integer]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Prediction:
    """A held-out utterance and its best answer; `accepted` unless it was answered as out of scope."""

    text: str
    expected: str  # a label, or `__oos__`
    answered: str  # the best label, also if not accepted
    confidence: float
    in_scope: float
    accepted: bool

    @property
    def out_of_scope(self) -> bool:
        """Whether it really is."""
        return self.expected == OUT_OF_SCOPE_LABEL

    @property
    def misread(self) -> bool:
        """Whether another label was best or, of an out-of-scope utterance, whether any was accepted."""
        return self.accepted if self.out_of_scope else self.answered != self.expected


@dataclass(frozen=True)
class Confusion:
    """How often one label was answered for another."""

    expected: str
    answered: str
    count: int
    example_text: str


@dataclass(frozen=True)
class ReliabilityBin:
    """The rows whose confidence is in (lower, upper]; means are 0 without rows."""

    lower: float
    upper: float
    rows: int
    confidence: float  # mean
    accuracy: float


@dataclass(frozen=True)
class LabelMetrics:
    """One label's part; precision and F1 count a best answer even if it was not accepted."""

    label: str
    rows: int
    precision: float
    recall: float
    f1: float
    rejected: int  # rows answered as out of scope


@dataclass(frozen=True)
class IntentMetrics:
    """Accuracy, F1 and calibration over rows in scope; None where there were no out-of-scope rows."""

    rows: int  # in scope
    oos_rows: int
    accuracy: float  # of the best answer, whether accepted or not
    macro_f1: float
    ece: float
    in_scope_accepted: float  # share of rows in scope that were not answered as out of scope
    oos_auroc: float | None
    oos_recall: float | None  # share of out-of-scope rows answered as such
    confusions: tuple[Confusion, ...]  # worst first

    def as_flat_dict(self) -> dict[str, float]:
        """Return the numbers by name, for the catalog."""
        names = (
            "rows",
            "oos_rows",
            "accuracy",
            "macro_f1",
            "ece",
            "in_scope_accepted",
            "oos_auroc",
            "oos_recall",
        )
        values = {name: getattr(self, name) for name in names}
        return {name: float(value) for name, value in values.items() if value is not None}


def intent_metrics(
    probabilities: Floats,
    expected: Integers,
    *,
    in_scope: Floats,
    accepted: Booleans,
    texts: Sequence[str],
    labels: Sequence[str],
) -> IntentMetrics:
    """Measure answers: `probabilities` (rows, labels), calibrated; all else (rows,).

    `expected` is the index of the right label, -1 if out of scope; `in_scope` the probability of being in
    scope; `accepted` whether the answer was a label; `labels` name the columns.

    Raises:
        InputError: no row is in scope, or an answer is not a finite number.
    """
    rows = predictions(
        probabilities, expected, in_scope=in_scope, accepted=accepted, texts=texts, labels=labels
    )
    inside = expected >= 0
    if not inside.any():
        raise InputError(
            f"none of the {len(rows)} rows is in scope: accuracy needs rows with an intent of the skill",
            field="data",
        )
    best, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    correct = (best == expected)[inside]
    outside = len(rows) - int(inside.sum())
    return IntentMetrics(
        rows=len(correct),
        oos_rows=outside,
        accuracy=float(correct.mean()),
        macro_f1=float(f1_score(expected[inside], best[inside], average="macro", zero_division=0.0)),
        ece=calibration_error(reliability_bins(confidence[inside], correct)),
        in_scope_accepted=float(accepted[inside].mean()),
        oos_auroc=float(roc_auc_score(inside, in_scope)) if outside else None,
        oos_recall=float((~accepted[~inside]).mean()) if outside else None,
        confusions=confusions(rows),
    )


def predictions(
    probabilities: Floats,
    expected: Integers,
    *,
    in_scope: Floats,
    accepted: Booleans,
    texts: Sequence[str],
    labels: Sequence[str],
) -> tuple[Prediction, ...]:
    """Return each row with its best answer; arguments as for `intent_metrics`."""
    if not (np.isfinite(probabilities).all() and np.isfinite(in_scope).all()):
        raise InputError("answers hold values that are not finite: train again with a lower learning rate")
    names = [*labels, OUT_OF_SCOPE_LABEL]  # index -1 is the last
    columns = (texts, expected, probabilities.argmax(axis=1), probabilities.max(axis=1), in_scope, accepted)
    return tuple(
        Prediction(text, names[right], names[best], float(confidence), float(scope), bool(taken))
        for text, right, best, confidence, scope, taken in zip(*columns, strict=True)
    )


def reliability_bins(
    confidence: Floats, correct: Booleans, *, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Sort rows into equal-width bins of confidence.

    Args:
        confidence: probability of the best answer, (rows,).
        correct: whether it was right, (rows,).
    """
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    divisor = np.maximum(rows, 1)
    means = np.bincount(place, weights=confidence, minlength=bins) / divisor
    accuracies = np.bincount(place, weights=correct, minlength=bins) / divisor
    return tuple(
        ReliabilityBin(
            float(edges[i]), float(edges[i + 1]), int(rows[i]), float(means[i]), float(accuracies[i])
        )
        for i in range(bins)
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Return the expected calibration error (Guo et al. 2017, "On Calibration of …", equation 3)."""
    total = sum(each.rows for each in bins)
    return sum(each.rows * abs(each.accuracy - each.confidence) for each in bins) / max(total, 1)


def confusions(rows: Sequence[Prediction]) -> tuple[Confusion, ...]:
    """Return which labels were answered for which, the most frequent first; the example is the surest one."""
    counts: Counter[tuple[str, str]] = Counter()
    surest: dict[tuple[str, str], Prediction] = {}
    for row in rows:
        if row.misread:
            pair = (row.expected, row.answered)
            counts[pair] += 1
            surest[pair] = max(surest.get(pair, row), row, key=lambda each: each.confidence)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Confusion(*pair, count, surest[pair].text) for pair, count in ranked)


def label_metrics(rows: Sequence[Prediction], labels: Sequence[str]) -> tuple[LabelMetrics, ...]:
    """Return each label's part, over the rows in scope."""
    inside = [row for row in rows if not row.out_of_scope]
    rejected = Counter(row.expected for row in inside if not row.accepted)
    precision, recall, f1, support = precision_recall_fscore_support(
        [row.expected for row in inside],
        [row.answered for row in inside],
        labels=list(labels),
        zero_division=0.0,
    )
    return tuple(
        LabelMetrics(
            label, int(support[i]), float(precision[i]), float(recall[i]), float(f1[i]), rejected[label]
        )
        for i, label in enumerate(labels)
    )
