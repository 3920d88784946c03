"""The slot head: a linear tagger over the prompted encoder's states, decoded into valid spans.

Plain numpy, as the intent head.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike

from nlu.bio import Doubles, span_probabilities, viterbi
from nlu.half import Floats, Halves, widened
from nlu.head import token_features
from nlu.prompt import Prompt
from nlu.tokens import Tokens
from nlu.words import words
from skills.parse import SlotAlternative, SlotsAnswer, SlotValue
from skills.resolution import Resolver
from skills.slot import SlotLabel

MAX_ALTERNATIVES = 3
LEAST_ALTERNATIVE = 0.01  # a label less probable than this is no alternative


def word_features(states: Floats, first: ArrayLike) -> Floats:
    """Return (W, D) features of words: the (tokens, D) states of their first tokens, at length sqrt(D)."""
    return token_features(states[np.asarray(first, np.intp)])


@dataclass(frozen=True, eq=False)
class SlotHead:
    """Finds the slots of one utterance.

    weights: (2S+1, D) and bias: (2S+1,) of the tags of S labels, in the order of `nlu.bio`. neighbours:
    (2, 2S+1, D) weights of the word before and of the word after, which say where a span ends. temperature
    divides the scores. expected: (names, N, 2, E, H*K) further deep-prompt vectors for each slot of
    expected_names, which the encoder sees if the dialog has just asked for that slot.
    """

    labels: tuple[SlotLabel, ...]
    weights: Halves
    bias: Floats
    temperature: float
    resolver: Resolver
    expected: Halves | None = None
    expected_names: tuple[str, ...] = ()
    neighbours: Halves | None = None

    def scores(self, features: Floats) -> Floats:
        """Return (W, 2S+1) scores of one text's words, from their (W, D) features."""
        scores: Floats = features @ widened(self.weights).T + self.bias
        if self.neighbours is not None:
            before, after = widened(self.neighbours)
            scores[1:] += features[:-1] @ before.T
            scores[:-1] += features[1:] @ after.T
        return scores / self.temperature

    def answer(
        self, text: str, tokens: Tokens, states: Floats, *, now: datetime, min_confidence: float = 0.0
    ) -> SlotsAnswer:
        """Return the slots of a text, from its tokens and their (tokens, D) hidden states.

        Args:
            text: as it was written.
            tokens: its tokens.
            states: their hidden states.
            now: what "tomorrow" counts from.
            min_confidence: slots below it are left out.
        """
        found = words(text, tokens)
        scores = self.scores(word_features(states, found.first))
        spans = viterbi(scores)
        if not spans:
            return SlotsAnswer(())
        firsts, ends = [span[0] for span in spans], [span[1] for span in spans]
        slots = []
        for (first, end, label), row in zip(spans, span_probabilities(scores, firsts, ends), strict=True):
            if row[label] >= min_confidence:
                place = found.spans[first][0], found.spans[end - 1][1]
                slots.append(self._slot(text, place, label, row, now))
        return SlotsAnswer(tuple(slots))

    def prompt_for(self, prompt: Prompt, expected_slots: Iterable[str]) -> Prompt:
        """Return the prompt with the vectors of the expected slots, as far as the head has any for them."""
        asked = frozenset(expected_slots)
        places = [place for place, name in enumerate(self.expected_names) if name in asked]
        if self.expected is None or not places:
            return prompt
        parts = [] if prompt.deep is None else [prompt.deep]
        parts += [self.expected[place] for place in places]
        return replace(prompt, deep=np.concatenate(parts, axis=2))

    def _slot(
        self, text: str, span: tuple[int, int], label: int, probabilities: Doubles, now: datetime
    ) -> SlotValue:
        start, end = span
        raw = text[start:end]
        others = [each for each in np.argsort(-probabilities, kind="stable") if each != label]
        return SlotValue(
            label=self.labels[label],
            start=start,
            end=end,
            raw=raw,
            value=self.resolver.resolve(self.labels[label].slot, raw, now=now),
            confidence=float(probabilities[label]),
            alternatives=tuple(
                SlotAlternative(self.labels[each], float(probabilities[each]))
                for each in others[:MAX_ALTERNATIVES]
                if probabilities[each] >= LEAST_ALTERNATIVE
            ),
        )
