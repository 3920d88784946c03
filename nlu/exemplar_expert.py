"""The exemplar expert: utterances whose intent someone has told us count at once, before the next training.

A text that is an exemplar's, or that the skill's own prompt puts close to one, gets the exemplar's intent.
All other texts are answered as if there were no exemplars, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlu.half import Floats
from skills.exemplar import Exemplar

NEAR = 0.85  # cosine of features from which on a text means what an exemplar means (BANKING77 dev: 99.7 % do)

Encode = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True, eq=False)
class ExemplarExpert:
    """The exemplars of one skill version, of intents that it has.

    features: (exemplars, D) at unit length, by the version's own prompt; places: (exemplars,) of their
    intents among the labels; texts: the place of an exemplar by its text, as `_plain` has it.
    """

    exemplars: tuple[Exemplar, ...]
    features: Floats
    places: NDArray[np.intp]
    texts: Mapping[str, int]

    @classmethod
    def of(
        cls,
        exemplars: Sequence[Exemplar],
        labels: Sequence[str],
        encode: Encode,
        known: ExemplarExpert | None = None,
    ) -> ExemplarExpert | None:
        """Return the expert of those exemplars that have one of the labels, None if none has.

        Args:
            exemplars: of the skill, oldest first; of two with one text the newer counts.
            labels: of the version.
            encode: gives the (texts, D) features of texts.
            known: what the version has had until now; only new texts are encoded.
        """
        fitting = tuple(each for each in exemplars if each.intent in labels)
        if not fitting or (known is not None and known.exemplars == fitting):
            return known if fitting else None
        features = {} if known is None else dict(zip(known._given(), known.features, strict=True))
        missing = [each.text for each in fitting if each.text not in features]
        if missing:
            features |= zip(missing, encode(missing), strict=True)
        return cls(
            exemplars=fitting,
            features=np.stack([features[each.text] for each in fitting]),
            places=np.array([labels.index(each.intent) for each in fitting]),
            texts={_plain(each.text): place for place, each in enumerate(fitting)},
        )

    def fuse(
        self, texts: Sequence[str], features: Floats, scores: Floats, *, scale: float
    ) -> tuple[Floats, Floats]:
        """Return scores in which the intents of near exemplars lead, and (rows,) how near; 0 is not at all.

        Such an intent scores at least as if the exemplar were its prototype, and beats each other one by more
        the nearer it is.

        Args:
            texts: of the rows.
            features: (rows, D).
            scores: (rows, labels), fused without exemplars.
            scale: of cosines in the scores.
        """
        similarities = features @ self.features.T
        nearest = similarities.argmax(axis=1)
        nearness = similarities.max(axis=1)
        for row, text in enumerate(texts):
            place = self.texts.get(_plain(text))
            if place is not None:
                nearest[row], nearness[row] = place, 1.0
        near = np.flatnonzero(nearness >= NEAR)
        labels, fused = self.places[nearest[near]], scores.copy()
        others = scores[near]
        others[np.arange(len(near)), labels] = -np.inf
        lead = others.max(axis=1, initial=-np.inf) + scale * (nearness[near] - NEAR)
        fused[near, labels] = np.maximum.reduce([scores[near, labels], scale * nearness[near], lead])
        return fused, np.where(nearness >= NEAR, nearness.clip(max=1.0), 0.0).astype(np.float32)

    def _given(self) -> list[str]:
        return [each.text for each in self.exemplars]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
