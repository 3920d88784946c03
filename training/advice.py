"""What would make labeled utterances better data: rows to look at, overlapping labels, where more would help.

All of it comes from a logistic regression over the frozen backbone's features, cross-validated, so that no
row has a say in what is said of it. That takes seconds, and it is nearly as accurate as the trained skill;
its accuracy is told, as the advice is worth no more than that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.engine import make_engine
from nlu.prompt import Floats, Prompt
from skills.errors import InputError
from skills.utterance import Utterance
from training.config import make_config
from training.evaluation import encode_texts
from training.start import dialog_start

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

FOLDS = 5
FEW_ROWS = 10  # of a label: with fewer, a row more is worth most (BANKING77: 75.5 % with 5, 81.7 % with 10)
SHARES = (0.25, 0.5, 0.75, 1.0)  # of the training rows of a fold, for the learning curve
OVERLAP = 0.15  # of two labels' rows read as the other one: from here on, they are hard to tell apart
SHOWN_EXAMPLES = 5

Places: TypeAlias = NDArray[np.intp]  # of labels, or of rows


@dataclass(frozen=True)
class Suspect:
    """A row whose label may be wrong, with the probability of that label and of the likeliest one."""

    row: Utterance
    probability: float
    suggested: str
    suggested_probability: float


@dataclass(frozen=True)
class Overlap:
    """Two labels that are read as each other: in which share of their rows, and some of those."""

    first: str
    second: str
    share: float
    examples: tuple[Utterance, ...]


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy on rows left out, of what has learned a share of the others: so many a label, on average."""

    share: float
    rows_per_label: float
    accuracy: float


@dataclass(frozen=True)
class Advice:
    """All of it; the most urgent first in each part.

    accuracy: of the cross-validated regression. thin: labels with few rows, and how many they have.
    """

    accuracy: float
    suspects: tuple[Suspect, ...]
    overlaps: tuple[Overlap, ...]
    thin: tuple[tuple[str, int], ...]
    curve: tuple[CurvePoint, ...]

    @property
    def last_doubling(self) -> float:
        """What the accuracy has gained with the second half of the rows; twice the rows would add less."""
        half, whole = (next(each for each in self.curve if each.share == share) for share in (0.5, 1.0))
        return whole.accuracy - half.accuracy


def frozen_features(texts: Sequence[str], backbone: Backbone, compute: Compute) -> Floats:
    """Return (texts, D) features of the encoder and the prompt that new skills start from."""
    adapted = backbone.adapter is not None
    prompt = dialog_start(backbone, make_config().prompt_length, adapted=adapted) or Prompt(adapted=adapted)
    return encode_texts(prompt, texts, backbone, make_engine(backbone, compute))


def advise(rows: Sequence[Utterance], features: Floats, *, seed: int = 13) -> Advice:
    """Look at labeled utterances, none of them out of scope.

    Args:
        rows: of at least 2 labels, 2 rows each.
        features: (rows, D) of the frozen backbone.
        seed: of the folds.

    Raises:
        InputError: a label has one row only, or there is but one label.
    """
    from cleanlab.filter import find_label_issues
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.preprocessing import LabelEncoder

    counts = Counter(row.intent for row in rows)
    _check(counts)
    encoder = LabelEncoder().fit([row.intent for row in rows])
    labels, given = encoder.classes_.tolist(), encoder.transform([row.intent for row in rows])
    folds = StratifiedKFold(min(FOLDS, min(counts.values())), shuffle=True, random_state=seed)
    model = LogisticRegression(C=10.0, max_iter=300)
    probabilities = cross_val_predict(model, features, given, cv=folds, method="predict_proba")
    issues = find_label_issues(
        given, probabilities, return_indices_ranked_by="self_confidence", filter_by="both", n_jobs=1
    )
    read = probabilities.argmax(axis=1)
    return Advice(
        accuracy=float((read == given).mean()),
        suspects=tuple(_suspect(rows[i], labels, probabilities[i], given[i]) for i in issues),
        overlaps=_overlaps(rows, labels, given, read),
        thin=tuple(sorted(_thin(counts), key=lambda item: item[1])),
        curve=tuple(_curve(model, features, given, list(folds.split(features, given)), seed)),
    )


def _curve(
    model: LogisticRegression,
    features: Floats,
    given: Places,
    folds: Sequence[tuple[Places, Places]],
    seed: int,
) -> Iterator[CurvePoint]:
    """Yield what the model learns from a share of each label's rows, never none of them."""
    shuffled = [(np.random.default_rng(seed).permutation(train), test) for train, test in folds]
    for share in SHARES:
        kept = [(train[_first(given[train], share)], test) for train, test in shuffled]
        scores = [
            model.fit(features[train], given[train]).score(features[test], given[test])
            for train, test in kept
        ]
        rows = np.mean([len(train) for train, _ in kept]) / (given.max() + 1)
        yield CurvePoint(share, float(rows), float(np.mean(scores)))


def _first(labels: Places, share: float) -> NDArray[np.bool_]:
    """Return which rows are in the first `share` of their label's rows."""
    counts, seen = np.bincount(labels), Counter[int]()
    chosen = np.zeros(len(labels), np.bool_)
    for place, label in enumerate(labels.tolist()):
        chosen[place] = seen[label] < share * counts[label]
        seen[label] += 1
    return chosen


def _check(counts: Counter[str]) -> None:
    if len(counts) < 2:
        raise InputError(
            "advice compares intents, and the data has fewer than 2: add another", field="intent"
        )
    lonely = sorted(label for label, count in counts.items() if count < 2)
    if lonely:
        raise InputError(
            f"intent {lonely[0]!r} has one row only, so nothing can be said of it: give it at least 2",
            field="intent",
        )


def _suspect(row: Utterance, labels: Sequence[str], probabilities: Floats, given: int) -> Suspect:
    best = int(probabilities.argmax())
    return Suspect(row, float(probabilities[given]), labels[best], float(probabilities[best]))


def _overlaps(
    rows: Sequence[Utterance], labels: Sequence[str], given: Places, read: Places
) -> tuple[Overlap, ...]:
    found = []
    pairs = {(min(right, answer), max(right, answer)) for right, answer in zip(given, read, strict=True)}
    for first, second in pairs:
        there, back = (given == first) & (read == second), (given == second) & (read == first)
        mistaken = np.flatnonzero(there | back)
        share = len(mistaken) / int(((given == first) | (given == second)).sum())
        if first != second and len(mistaken) > 1 and share >= OVERLAP:
            examples = tuple(rows[i] for i in mistaken[:SHOWN_EXAMPLES])
            found.append(Overlap(labels[first], labels[second], share, examples))
    return tuple(sorted(found, key=lambda overlap: (-overlap.share, overlap.first)))


def _thin(counts: Counter[str]) -> list[tuple[str, int]]:
    return [(label, count) for label, count in counts.items() if count < FEW_ROWS]
