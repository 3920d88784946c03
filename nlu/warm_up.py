"""The last check before a skill version is served: one real row through the engine and its heads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime

import numpy as np

from nlu.backbone import Backbone
from nlu.batcher import Batcher
from nlu.corrector import Correction, CorrectionRow
from nlu.loaded import LoadedSkill
from nlu.prompt import Floats, Row
from nlu.tokens import tokenise
from skills.errors import BackboneError, SkillRefusedError
from skills.parse import ParseRequest, SkillResult

REQUEST = ParseRequest("is this skill ready?")


def warm_up(
    skill: LoadedSkill,
    *,
    backbone: Backbone,
    encoder: Batcher[Row, Floats],
    corrector: Batcher[CorrectionRow, Correction],
) -> None:
    """Answer one text with a version that is not served yet; blocking.

    Raises:
        SkillRefusedError: it makes the engine or a head fail, or gives values that are not finite.
        NotReadyError: a batcher is closed.
    """
    tokens = tokenise(backbone, REQUEST.text)
    expected = () if skill.slots is None else skill.slots.expected_names
    rows = [Row(tokens.ids, skill.prompt), Row(tokens.ids, skill.prompt_for(expected))]
    numbers: list[float] = []
    try:
        for future in encoder.submit(rows if expected else rows[:1], bounded=False):
            states = future.result().output
            answer = skill.answer(REQUEST, tokens, states, now=datetime.now())
            numbers += [float(np.abs(states).max()), *_numbers(answer)]
        if skill.grammar is not None:
            row = CorrectionRow(tokens.ids, states, skill.grammar.prompt)
            numbers += corrector.submit([row], bounded=False)[0].result().output.probabilities
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, BackboneError) as error:
        raise SkillRefusedError(f"{skill.version} cannot answer: {error}; train it again") from error
    if not all(map(math.isfinite, numbers)):
        raise SkillRefusedError(f"{skill.version} gives values that are not finite; train it again")


def _numbers(answer: SkillResult) -> Iterator[float]:
    if answer.intent is not None:
        yield answer.intent.in_scope
        yield from (each.confidence for each in answer.intent.ranking)
    if answer.slots is not None:
        yield from (slot.confidence for slot in answer.slots.slots)
    if answer.grammar is not None:
        yield answer.grammar.confidence
