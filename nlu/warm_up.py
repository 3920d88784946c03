"""The last check before a skill version is served: one real row through the engine and the head."""

from __future__ import annotations

import math

import numpy as np

from nlu.backbone import Backbone
from nlu.batcher import Batcher
from nlu.loaded import LoadedSkill
from nlu.prompt import Row
from nlu.tokens import tokenise
from skills.errors import SkillRefusedError

TEXT = "is this skill ready?"


def warm_up(skill: LoadedSkill, *, backbone: Backbone, batcher: Batcher) -> None:
    """Answer one text with a version that is not served yet; blocking.

    Raises:
        SkillRefusedError: it makes the engine or the head fail, or gives values that are not finite.
        NotReadyError: the batcher is closed.
    """
    row = Row(tokenise(backbone, TEXT).ids, skill.prompt)
    try:
        states = batcher.submit([row], bounded=False)[0].result().states
        answer = skill.head.answer(TEXT, states)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise SkillRefusedError(f"{skill.version} cannot answer: {error}; train it again") from error
    confidences = [each.confidence for each in answer.ranking]
    if not (np.isfinite(states).all() and all(map(math.isfinite, (*confidences, answer.in_scope)))):
        raise SkillRefusedError(f"{skill.version} gives values that are not finite; train it again")
