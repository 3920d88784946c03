"""The last check before skill versions are served: a real row of each through the engine and its heads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from nlu.backbone import Backbone
from nlu.batcher import Batcher, Processed
from nlu.corrector import Correction, CorrectionRow
from nlu.half import Floats
from nlu.loaded import LoadedSkill
from nlu.prompt import Row
from nlu.tokens import tokenise
from skills.errors import BackboneError, SkillRefusedError
from skills.parse import ParseRequest, SkillResult

REQUEST = ParseRequest("is it ready?")  # short: a thousand skills are to be checked in a few seconds


Encoded = list[Future[Processed[Floats]]]


@dataclass(frozen=True)
class WarmUp:
    """Lets versions answer one text before they are served. Blocking; the batchers belong to others."""

    backbone: Backbone
    encoder: Batcher[Row, Floats]
    corrector: Batcher[CorrectionRow, Correction]

    def begin(self, skills: Sequence[LoadedSkill]) -> list[Encoded]:
        """Put the text before each of the skills.

        Raises:
            NotReadyError: a batcher is closed.
        """
        return [self.encoder.submit(self._rows(skill), bounded=False) for skill in skills]

    def end(
        self, skills: Sequence[LoadedSkill], begun: Sequence[Encoded]
    ) -> Iterator[SkillRefusedError | None]:
        """Yield why a skill cannot be served, None if it can: it fails, or gives values that are not finite.

        Raises:
            NotReadyError: a batcher is closed.
        """
        for skill, encoded in zip(skills, begun, strict=True):
            error = self._refusal(skill, encoded)
            if error is not None and len(skills) > 1:  # it may share a batch with one that made that fail
                [encoded] = self.begin([skill])
                error = self._refusal(skill, encoded)
            yield error

    def _rows(self, skill: LoadedSkill) -> list[Row]:
        tokens = tokenise(self.backbone, REQUEST.text)
        rows = [Row(tokens.ids, skill.prompt)]
        if skill.slots is not None and skill.slots.expected_names:
            rows.append(Row(tokens.ids, skill.prompt_for(skill.slots.expected_names)))
        return rows

    def _refusal(self, skill: LoadedSkill, encoded: Encoded) -> SkillRefusedError | None:
        tokens = tokenise(self.backbone, REQUEST.text)
        numbers: list[float] = []
        try:
            for future in encoded:
                states = future.result().output
                with np.errstate(all="ignore"):  # what is not finite is refused below
                    answer = skill.answer(REQUEST, tokens, states, now=datetime.now())
                numbers += [float(np.abs(states).max()), *_numbers(answer)]
            if skill.grammar is not None:
                row = CorrectionRow(tokens.ids, states, skill.grammar.prompt)
                numbers += self.corrector.submit([row], bounded=False)[0].result().output.probabilities
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, BackboneError) as error:
            return SkillRefusedError(f"{skill.version} cannot answer: {error}; train it again")
        if not all(map(math.isfinite, numbers)):
            return SkillRefusedError(f"{skill.version} gives values that are not finite; train it again")
        return None


def _numbers(answer: SkillResult) -> Iterator[float]:
    if answer.intent is not None:
        yield answer.intent.in_scope
        yield from (each.confidence for each in answer.intent.ranking)
    if answer.slots is not None:
        yield from (slot.confidence for slot in answer.slots.slots)
    if answer.grammar is not None:
        yield answer.grammar.confidence
