"""What an answer resembles: the utterances of known intent that the version's own prompt puts nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlu.exemplar_expert import Encode, ExemplarExpert
from nlu.half import Floats, Halves, widened
from skills.parse import SimilarUtterance
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.training_data import TrainingData
from skills.utterance import Utterance

MAX_ROWS = 2000  # of one version: 2 MB, and seconds to encode
NEAREST = 5


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Rows that a version has learned, and their (rows, D) features at unit length."""

    rows: tuple[Utterance, ...]
    features: Halves

    @classmethod
    def of(cls, data: TrainingData | None, encode: Encode) -> Neighbours:
        """Return at most `MAX_ROWS` rows in scope of a version's data; `encode` gives features of texts."""
        rows = [] if data is None else _with_intents(data)
        rows = rows[:: -(-len(rows) // MAX_ROWS) or 1]
        features = encode([row.text for row in rows]) if rows else np.zeros((0, 0), np.float32)
        return cls(tuple(rows), features.astype(np.float16))

    def nearest(self, feature: Floats, told: ExemplarExpert | None) -> tuple[SimilarUtterance, ...]:
        """Return the rows and exemplars nearest to a (D,) feature; of one text, the exemplar counts."""
        known: list[SimilarUtterance] = []
        if told is not None:
            exemplars = [(each.text, each.intent) for each in told.exemplars]
            known += _compared(exemplars, told.features @ feature)
        if self.rows:
            texts = {each.text for each in known}
            rows = [(row.text, row.intent) for row in self.rows]
            found = _compared(rows, widened(self.features) @ feature)
            known += [each for each in found if each.text not in texts]
        return tuple(sorted(known, key=lambda each: -each.similarity)[:NEAREST])


def _with_intents(data: TrainingData) -> list[Utterance]:
    rows = [Utterance(text, label) for label, text in data.descriptions.items()]
    rows += [row for row in (*data.train, *(data.dev or ())) if isinstance(row, Utterance)]
    return list(
        {row.text: row for row in rows if row.text and row.intent not in ("", OUT_OF_SCOPE_LABEL)}.values()
    )


def _compared(known: Sequence[tuple[str, str]], similarities: Floats) -> list[SimilarUtterance]:
    return [
        SimilarUtterance(text, intent, float(similarity))
        for (text, intent), similarity in zip(known, similarities, strict=True)
    ]
