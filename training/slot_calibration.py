"""Calibrates what reads slots, and of a joint skill intents, on the held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nlu.engine import Engine
from nlu.head import pooled
from nlu.prompt import Floats
from nlu.slot_head import word_features
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.slot_dataset import SlotDataset
from skills.utterance import Utterance
from training.calibration import calibrate, lexical_scores, slot_temperature
from training.evaluation import encode_rows
from training.slot_evaluation import SlotReader
from training.slot_objective import spans
from training.slot_texts import SlotTexts


def calibrated(
    reader: SlotReader, dataset: SlotDataset, texts: SlotTexts, engine: Engine, *, in_scope_kept: float
) -> SlotReader:
    """Return the reader with honest confidences.

    Args:
        reader: not calibrated, its temperature 1.
        dataset: held-out rows are used, and of a joint skill all rows out of scope.
        texts: of the data set.
        engine: encodes the rows.
        in_scope_kept: share of the held-out rows in scope that the out-of-scope threshold must accept.
    """
    scores, features = _encoded(reader, dataset.dev, texts, engine)
    marked = [spans(texts.example(row).tags) for row in dataset.dev]
    slots = replace(reader.slots, temperature=slot_temperature(scores, marked))
    if reader.intent is None:
        return replace(reader, slots=slots)
    head = reader.intent
    inside = [place for place, row in enumerate(dataset.dev) if row.intent != OUT_OF_SCOPE_LABEL]
    oos = [row for row in (*dataset.train, *dataset.dev) if row.intent == OUT_OF_SCOPE_LABEL]
    _, oos_features = _encoded(reader, oos, texts, engine)
    intent = calibrate(
        head,
        cosines=features[inside] @ head.prototypes.T,
        lexical=lexical_scores(head, [dataset.dev[place].text for place in inside]),
        labels=np.array([texts.example(dataset.dev[place]).intent for place in inside]),
        oos_cosines=oos_features @ head.prototypes.T,
        oos_lexical=lexical_scores(head, [row.text for row in oos]),
        in_scope_kept=in_scope_kept,
    )
    return replace(reader, slots=slots, intent=intent)


def _encoded(
    reader: SlotReader, utterances: Sequence[Utterance], texts: SlotTexts, engine: Engine
) -> tuple[list[Floats], Floats]:
    """Return (words, tags) scores of each row, and the rows' (rows, D) pooled features."""
    places = [texts.place(row.text) for row in utterances]
    rows = [
        reader.row(texts.tokens[place].ids, row.expected_slots)
        for place, row in zip(places, utterances, strict=True)
    ]
    scores = [np.zeros((0, 1), np.float32)] * len(rows)
    features = np.zeros((len(rows), engine.shape.d_model), np.float32)
    for index, states in encode_rows(rows, engine):
        scores[index] = reader.slots.scores(word_features(states, texts.words(places[index]).first))
        features[index] = pooled(states)
    return scores, features
