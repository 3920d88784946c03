"""The gate of a grammar skill: which sentences the decoder is to look at, set on held-out rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from nlu.corrector import END, CorrectionRow, Corrector
from nlu.engine import Engine
from nlu.grammar_head import GrammarHead
from nlu.prompt import Prompt, Row
from training.correction_model import TrainedVectors
from training.correction_pairs import Pair, by_length

BATCH_ROWS = 32
LEAST_SCALE = 1e-3  # a higher score never makes an error less probable


def gated(
    vectors: TrainedVectors,
    dev: Sequence[Pair],
    engine: Engine,
    corrector: Corrector,
    clean_left_alone: float,
) -> GrammarHead:
    """Return the head with its gate set.

    The gate's probability is fitted to the held-out pairs (Platt 1999). Its threshold is the lowest one at
    which that share of the held-out clean sentences stays as it is: not flagged, or repeated by the decoder.
    """
    head = _ungated(vectors)
    scores, wrong, edited = [], [], []
    for batch in by_length(dev, BATCH_ROWS):
        states = engine.encode([Row(pair.source, Prompt(deep=vectors.encoder)) for pair in batch])
        rows = [
            CorrectionRow(pair.source, each, head.prompt) for pair, each in zip(batch, states, strict=True)
        ]
        scores += [float(head.token_scores(each).max()) for each in states]
        wrong += [pair.has_error for pair in batch]
        edited += [
            (*found.token_ids, END) != row.token_ids
            for found, row in zip(corrector.correct(rows), rows, strict=True)
        ]
    return _with_gate(head, np.array(scores), np.array(wrong), np.array(edited), clean_left_alone)


def _ungated(vectors: TrainedVectors) -> GrammarHead:
    return GrammarHead(
        detector=vectors.detector,
        detector_bias=float(vectors.detector_bias[0]),
        gate_scale=1.0,
        gate_bias=0.0,
        threshold=0.5,
        prompt=vectors.decoder_prompt,
    )


def _with_gate(
    head: GrammarHead,
    scores: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    edited: NDArray[np.bool_],
    clean_left_alone: float,
) -> GrammarHead:
    fit = LogisticRegression(class_weight="balanced").fit(scores[:, None], wrong)
    scale, bias = max(float(fit.coef_[0, 0]), LEAST_SCALE), float(fit.intercept_[0])
    allowed = int((1 - clean_left_alone) * np.count_nonzero(~wrong))
    spoiled = np.sort(scores[edited & ~wrong])[::-1]
    least = spoiled[allowed] if allowed < len(spoiled) else -math.inf
    threshold = 1 / (1 + math.exp(-max(scale * least + bias, -60.0)))
    return replace(
        head, gate_scale=scale, gate_bias=bias, threshold=min(float(np.nextafter(threshold, 1.0)), 1.0)
    )
