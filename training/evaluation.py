"""How good a skill is on a file of labeled utterances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nlu.backbone import Backbone
from nlu.engine import Engine
from nlu.head import HeadOutput, IntentHead, pooled
from nlu.loaded import LoadedSkill
from nlu.prompt import Floats, Prompt, Row
from nlu.tokens import tokenise
from skills.errors import InputError
from skills.metrics import IntentMetrics, Prediction, intent_metrics
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.utterance import Utterance

BATCH_ROWS = 64


@dataclass(frozen=True)
class Evaluation:
    """The numbers, and every answer behind them."""

    metrics: IntentMetrics
    predictions: tuple[Prediction, ...]


def evaluate(
    skill: LoadedSkill, utterances: Sequence[Utterance], backbone: Backbone, engine: Engine
) -> Evaluation:
    """Answer every utterance with the skill as it is stored, and compare.

    Raises:
        InputError: no row, or a row's intent is not one of the skill's.
    """
    if not utterances:
        raise InputError("no rows to evaluate on", field="data")
    if skill.intent is None:
        raise InputError(f"{skill.version} is of kind {skill.version.kind}: it has no intents", field="kind")
    check_intents(skill, utterances)
    texts = [row.text for row in utterances]
    output = skill.intent.predict(texts, encode_texts(skill.prompt, texts, backbone, engine))
    return judge(skill.intent, output, texts, [row.intent for row in utterances])


def check_intents(skill: LoadedSkill, utterances: Sequence[Utterance]) -> None:
    """Check that every row has an intent of the skill, or is marked as out of scope.

    Raises:
        InputError: one is not.
    """
    known = {*skill.version.labels, OUT_OF_SCOPE_LABEL}
    for row in utterances:
        if row.intent not in known:
            raise InputError(
                f"{row.place}: intent {row.intent!r} is not one of the {len(skill.version.labels)} labels of "
                f"{skill.version}; mark rows that belong to none of them with __oos__",
                field="intent",
            )


def encode_rows(rows: Sequence[Row], engine: Engine) -> Iterator[tuple[int, Floats]]:
    """Yield each row's place and its (tokens, D) states; rows of like length share a batch."""
    order = sorted(range(len(rows)), key=lambda i: rows[i].length)
    for start in range(0, len(order), BATCH_ROWS):
        chunk = order[start : start + BATCH_ROWS]
        yield from zip(chunk, engine.encode([rows[i] for i in chunk]), strict=True)


def encode_texts(prompt: Prompt, texts: Sequence[str], backbone: Backbone, engine: Engine) -> Floats:
    """Return (texts, D) features, in order."""
    rows = [Row(tokenise(backbone, text).ids, prompt) for text in texts]
    features = np.zeros((len(rows), backbone.shape.d_model), np.float32)
    for place, states in encode_rows(rows, engine):
        features[place] = pooled(states)
    return features


def judge(head: IntentHead, output: HeadOutput, texts: Sequence[str], expected: Sequence[str]) -> Evaluation:
    """Compare a head's output with the right labels."""
    index = {label: i for i, label in enumerate(head.labels)}
    accepted = output.in_scope >= head.calibration.scope_threshold
    metrics = intent_metrics(
        output.probabilities,
        np.array([index.get(label, -1) for label in expected]),
        in_scope=output.in_scope,
        accepted=accepted,
        texts=texts,
        labels=head.labels,
    )
    best = output.probabilities.argmax(axis=1)
    predictions = tuple(
        Prediction(
            text=text,
            expected=right,
            answered=head.labels[answer],
            confidence=float(output.probabilities[i, answer]),
            in_scope=float(output.in_scope[i]),
            accepted=bool(accepted[i]),
        )
        for i, (text, right, answer) in enumerate(zip(texts, expected, best, strict=True))
    )
    return Evaluation(metrics, predictions)
