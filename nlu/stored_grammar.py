"""A grammar head as a skill version stores it: tensors, and settings in JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from nlu.grammar_head import GrammarHead
from nlu.prompt import DecoderPrompt
from nlu.shape import EncoderShape
from nlu.tensors import Tensors, floats, number

_NUMBERS = ("detector_bias", "gate_scale", "gate_bias", "threshold")


def grammar_tensors(head: GrammarHead) -> Tensors:
    """Return what `read_grammar_head` reads; the decoder's prompt in half precision."""
    return {
        "grammar.detector": head.detector,
        "grammar.own": head.prompt.own.astype(np.float16),
        "grammar.memory": head.prompt.memory.astype(np.float16),
    }


def grammar_settings(head: GrammarHead) -> dict[str, Any]:
    """Return the head's part of `SkillVersion.head`, under "grammar"."""
    return {name: getattr(head, name) for name in _NUMBERS}


def read_grammar_head(settings: dict[str, Any], tensors: Tensors, decoder: EncoderShape) -> GrammarHead:
    """Return a stored head; `decoder` has the decoder's sizes.

    Raises:
        KeyError, TypeError, ValueError: it is incomplete, or its parts do not fit.
    """
    layers = (decoder.num_layers, 2, None, decoder.d_attention)
    return GrammarHead(
        detector=floats(tensors, "grammar.detector", (decoder.d_model,)),
        prompt=DecoderPrompt(
            own=floats(tensors, "grammar.own", layers), memory=floats(tensors, "grammar.memory", layers)
        ),
        **{name: number(settings, name) for name in _NUMBERS},
    )
