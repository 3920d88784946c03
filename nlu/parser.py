"""From one utterance to the answers of the asked skills."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence

from nlu.backbone import Backbone
from nlu.batcher import Batcher, Encoded
from nlu.loaded import LoadedSkill
from nlu.prompt import Row
from nlu.registry import Registry
from nlu.tokens import tokenise
from skills.errors import UnknownSkillError
from skills.offsets import convert_span
from skills.parse import IntentAnswer, Outcome, ParseRequest, ParseResult, SkillResult, Timings


class Parser:
    """Answers requests with whatever the registry serves at that moment."""

    def __init__(self, backbone: Backbone, registry: Registry, batcher: Batcher) -> None:
        self._backbone = backbone
        self._registry = registry
        self._batcher = batcher

    async def parse(self, request: ParseRequest, *, deadline: float | None = None) -> ParseResult:
        """Answer one request; `deadline` is in `time.monotonic()` seconds.

        Raises:
            UnknownSkillError, SkillRefusedError: an asked skill does not exist or cannot be served.
            OverloadedError: the queue is full.
            TimeoutError: the deadline passed before a batch took the rows.
        """
        skills = await self._skills(request)
        start = time.perf_counter()
        tokens = tokenise(self._backbone, request.text)
        tokenise_seconds = time.perf_counter() - start
        encoded: Sequence[Encoded] = ()
        if not request.text.strip():
            answers = [IntentAnswer(Outcome.EMPTY_INPUT, (), 0.0) for _ in skills]
        else:
            rows = [Row(tokens.ids, skill.prompt) for skill in skills]
            futures = self._batcher.submit(rows, deadline=deadline)
            encoded = await asyncio.gather(*map(asyncio.wrap_future, futures))
            answers = [
                skill.head.answer(
                    request.text, row.states, n_best=request.n_best, min_confidence=request.min_confidence
                )
                for skill, row in zip(skills, encoded, strict=True)
            ]
        return ParseResult(
            request_id=request.request_id or uuid.uuid4().hex,
            results=tuple(map(_result, skills, answers)),
            read=convert_span(request.text, (0, tokens.end), request.offset_unit),
            backbone=self._backbone.fingerprint,
            timings=_timings(tokenise_seconds, encoded),
        )

    async def _skills(self, request: ParseRequest) -> list[LoadedSkill]:
        if not request.skills:
            live = self._registry.snapshot.live()
            if not live:
                raise UnknownSkillError(
                    "no skill is live: train one with --promote, or promote one", field="skills"
                )
            return live
        return [await self._registry.resolve(ref) for ref in request.skills]


def _result(skill: LoadedSkill, answer: IntentAnswer) -> SkillResult:
    version = skill.version
    return SkillResult(version.name, version.version, version.sha256, version.kind, answer)


def _timings(tokenise_seconds: float, encoded: Sequence[Encoded]) -> Timings:
    def largest(seconds: Sequence[float]) -> int:
        return round(1e6 * max(seconds, default=0.0))

    return Timings(
        tokenise_us=round(1e6 * tokenise_seconds),
        queue_us=largest([row.queue_seconds for row in encoded]),
        inference_us=largest([row.inference_seconds for row in encoded]),
        batch_rows=max((row.batch_rows for row in encoded), default=0),
    )
