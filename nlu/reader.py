"""One text, read by skills of any kinds: their rows in one batch, each answer as soon as it can be had."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from nlu.backbone import Backbone
from nlu.batcher import Processed
from nlu.corrected_text import corrected_answer
from nlu.corrector import Correction, CorrectionRow
from nlu.fair_queue import OWN, Lane
from nlu.loaded import LoadedSkill
from nlu.prompt import Floats, Row
from nlu.row_cache import Key, RowCache
from nlu.tokens import BLANK, Tokens, tokenise
from skills.parse import ParseRequest, SkillResult, Timings
from skills.protection import protected_spans
from skills.skill import SkillVersion

Steps: TypeAlias = tuple[Processed[Any], ...]


@dataclass(frozen=True)
class Reading:
    """What skills say of one text, in code points of it; `end` is the one after the last that they read.

    began: when, in `time.monotonic()` seconds. steps: the batches that each result took, one after the other.
    """

    results: tuple[SkillResult, ...]
    end: int
    timings: Timings
    began: float
    steps: tuple[Steps, ...]


class Reader:
    """Owns neither batcher: the encoder's, and that of the corrections, which have a thread of their own.

    Both remember what they have read, but for rows of a slot that the dialog expects.
    """

    def __init__(
        self,
        backbone: Backbone,
        encoder: RowCache[Row, Floats],
        corrector: RowCache[CorrectionRow, Correction],
    ) -> None:
        self._backbone = backbone
        self._encoder = encoder
        self._corrector = corrector

    @property
    def is_idle(self) -> bool:
        """Whether a text would be read at once."""
        return self._encoder.is_idle and self._corrector.is_idle

    @property
    def batchers(self) -> dict[str, RowCache[Any, Any]]:
        """Where rows wait, or are remembered."""
        return {"encoder": self._encoder, "corrector": self._corrector}

    def keep(self, versions: Iterable[SkillVersion]) -> None:
        """Forget what all versions but these have read."""
        hashes = {version.sha256 for version in versions}
        self._encoder.keep(hashes)
        self._corrector.keep(hashes)

    async def read(
        self,
        request: ParseRequest,
        skills: Sequence[LoadedSkill],
        *,
        deadline: float | None = None,
        lane: Lane = OWN,
    ) -> Reading:
        """Answer the request's text with each of the skills, in their order; the rest as `Parser.parse`."""
        began = time.monotonic()
        tokens = tokenise(self._backbone, request.text)
        seconds = time.monotonic() - began
        if not BLANK.sub("", request.text):
            blank = tuple(skill.answer_blank(request.text) for skill in skills)
            return Reading(blank, tokens.end, _timings(seconds, ()), began, ((),) * len(blank))
        question = _Question(request, tokens, request.reference_time or datetime.now(), deadline, lane)
        rows = [
            (question.key_of(skill), Row(tokens.ids, skill.prompt_for(request.expected_slots)))
            for skill in skills
        ]
        futures = self._encoder.submit(rows, lane=lane, deadline=deadline)
        answers = await _all([*map(partial(self._answer, question), skills, futures)])
        results = tuple(answer.result for answer in answers)
        if any(answer.correction for answer in answers):
            protected = (*protected_spans(request.text), *_slot_spans(answers))
            results = tuple(self._result(question, answer, protected) for answer in answers)
        steps = tuple(answer.steps for answer in answers)
        return Reading(results, tokens.end, _timings(seconds, steps), began, steps)

    async def _answer(
        self, question: _Question, skill: LoadedSkill, future: Future[Processed[Floats]]
    ) -> _Answer:
        encoded = future.result() if future.done() else await asyncio.wrap_future(future)
        states = encoded.output
        result = skill.answer(question.request, question.tokens, states, now=question.now)
        if skill.grammar is None or not skill.needs_correction(result.grammar):
            return _Answer(result, encoded)
        row = CorrectionRow(question.tokens.ids, states, skill.grammar.prompt)
        keyed = (question.key_of(skill), row)
        [decoding] = self._corrector.submit([keyed], lane=question.lane, deadline=question.deadline)
        correction = await asyncio.wrap_future(decoding)
        return _Answer(result, encoded, correction)

    def _result(
        self, question: _Question, answer: _Answer, protected: Sequence[tuple[int, int]]
    ) -> SkillResult:
        """Return an answer with its correction, now that all slots are known."""
        grammar = answer.result.grammar
        if grammar is None or answer.correction is None:
            return answer.result
        grammar = corrected_answer(
            self._backbone.tokenizer,
            question.request.text,
            question.tokens,
            answer.correction.output,
            error_probability=1 - grammar.confidence,
            protected=protected,
        )
        return replace(answer.result, grammar=grammar)


@dataclass(frozen=True)
class _Question:
    """A text that is being read."""

    request: ParseRequest
    tokens: Tokens
    now: datetime
    deadline: float | None
    lane: Lane

    def key_of(self, skill: LoadedSkill) -> Key | None:
        """Return what this text and this skill are remembered by; None if more than these two counts."""
        if self.request.expected_slots:
            return None
        return skill.version.sha256, skill.version.backbone, self.tokens.ids


@dataclass(frozen=True)
class _Answer:
    """One skill's answer, and what it took."""

    result: SkillResult
    encoded: Processed[Floats]
    correction: Processed[Correction] | None = None

    @property
    def steps(self) -> Steps:
        return (self.encoded,) if self.correction is None else (self.encoded, self.correction)


async def _all(answers: Sequence[Coroutine[Any, Any, _Answer]]) -> Sequence[_Answer]:
    """Wait for answers at once; one alone needs no task of its own, which takes as long as a tokenisation."""
    return [await answers[0]] if len(answers) == 1 else await asyncio.gather(*answers)


def _slot_spans(answers: Iterable[_Answer]) -> Iterator[tuple[int, int]]:
    for answer in answers:
        if answer.result.slots is not None:
            yield from ((slot.start, slot.end) for slot in answer.result.slots.slots)


def _timings(tokenise_seconds: float, answers: Sequence[Steps]) -> Timings:
    """Return the time of the answer that took longest in each respect."""

    def longest(seconds: Callable[[Processed[Any]], float]) -> int:
        return round(1e6 * max((sum(map(seconds, steps)) for steps in answers), default=0.0))

    return Timings(
        tokenise_us=round(1e6 * tokenise_seconds),
        queue_us=longest(lambda step: step.queue_seconds),
        inference_us=longest(lambda step: step.seconds),
        batch_rows=max((encoded.batch_rows for encoded, *_ in answers), default=0),
    )
