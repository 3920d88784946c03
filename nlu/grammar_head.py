"""The grammar head: a detector of wrong tokens that gates the decoder, and the decoder's own prompt.

Plain numpy, as the other heads; decoding is `nlu.corrector`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nlu.head import token_features
from nlu.prompt import DecoderPrompt, Floats


@dataclass(frozen=True, eq=False)
class GrammarHead:
    """Says whether a text has an error, and so needs the decoder.

    detector: (D,) weights of a token's feature, as slots have it; its score is high at an error, and at the
    token after something that is missing. The probability that the text has an error is
    `sigmoid(gate_scale * highest score + gate_bias)`; from `threshold` on, the text is decoded.
    """

    detector: Floats
    detector_bias: float
    gate_scale: float
    gate_bias: float
    threshold: float
    prompt: DecoderPrompt

    def token_scores(self, states: Floats) -> Floats:
        """Return (tokens,) scores of the (tokens, D) hidden states."""
        scores: Floats = token_features(states) @ self.detector + self.detector_bias
        return scores

    def error_probability(self, states: Floats) -> float:
        """Return the probability that a text has an error, from its (tokens, D) hidden states."""
        logit = self.gate_scale * float(self.token_scores(states).max()) + self.gate_bias
        return 1 / (1 + math.exp(-min(max(logit, -60.0), 60.0)))

    def flags(self, error_probability: float) -> bool:
        """Whether a text with this probability of an error is decoded."""
        return error_probability >= self.threshold
