"""From one utterance to the answers of the asked skills."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from nlu.backbone import Backbone
from nlu.caller import ANYONE, Caller
from nlu.fair_queue import Lane
from nlu.loaded import LoadedSkill
from nlu.observer import Answered, current_observer
from nlu.reader import Reader, Reading
from nlu.registry import Registry, Snapshot
from nlu.trial import Trials, routed_version
from skills.api_key import Scope
from skills.edits import Edit, map_span_back
from skills.errors import InputError, UnknownSkillError
from skills.offsets import OffsetUnit, convert_span
from skills.parse import (
    MAX_TEXT,
    GrammarAnswer,
    ParseRequest,
    ParseResult,
    SkillResult,
    SlotsAnswer,
    SlotValue,
)
from skills.skill import SkillRef

SpannedT = TypeVar("SpannedT", SlotValue, Edit)


class Parser:
    """Answers requests with whatever the registry serves at that moment."""

    def __init__(self, backbone: Backbone, registry: Registry, reader: Reader) -> None:
        self._backbone = backbone
        self._registry = registry
        self.reader = reader
        self._served = registry.snapshot
        self.trials = Trials(registry, reader)

    async def parse(
        self,
        request: ParseRequest,
        *,
        deadline: float | None = None,
        caller: Caller = ANYONE,
        bulk: bool = False,
    ) -> ParseResult:
        """Answer one request; `deadline` is in `time.monotonic()` seconds, and what is bulk can wait for it.

        Raises:
            AccessError: the caller may not use an asked skill, or not see what it was trained on.
            UnknownSkillError, SkillRefusedError: an asked skill does not exist or cannot be served.
            InputError: a correction is asked for, but no grammar skill.
            OverloadedError: it would have to wait for too long.
            TimeoutError: the deadline passed before a batch took the rows.
        """
        began = time.monotonic()
        if not request.request_id:
            request = replace(request, request_id=uuid.uuid4().hex)
        for ref in request.skills:
            caller.check_skill(ref.name)
        if request.explain:
            caller.check_scope(Scope.TRAIN, "options.explain")
        snapshot = caller.view(self._current())
        skills = await self._skills(request, snapshot)
        if request.correct_grammar and not any(skill.grammar for skill in skills):
            raise InputError(
                "correct_grammar needs a grammar skill, and none is among those asked: ask for one as well",
                field="options.correct_grammar",
            )
        lane = Lane(caller.share, tuple(skill.version.name for skill in skills), bulk)
        reading = first = await self.reader.read(request, skills, deadline=deadline, lane=lane)
        corrected = ""
        if request.correct_grammar:
            grammar = next(result.grammar for result in reading.results if result.grammar is not None)
            # A bare answer ("4") is no sentence: a grammar skill that saw few makes one of it.
            corrected = request.text if request.expected_slots else grammar.corrected
            if corrected != request.text:
                reading = await self._read_corrected(request, skills, reading, grammar, deadline, lane)
        self.trials.observe(request, first, snapshot)
        current_observer().answered(Answered(request, reading, began, time.monotonic()))
        unit = request.offset_unit
        return ParseResult(
            request_id=request.request_id,
            results=tuple(_in_unit(result, request.text, unit) for result in reading.results),
            read=convert_span(request.text, (0, reading.end), unit),
            backbone=self._backbone.fingerprint,
            timings=reading.timings,
            corrected_text=corrected,
        )

    def _current(self) -> Snapshot:
        """Return what is served now; what versions that are gone have read is forgotten."""
        snapshot = self._registry.snapshot
        if snapshot is not self._served:
            self._served = snapshot
            self.reader.keep(snapshot.skills.values())
        return snapshot

    async def _read_corrected(
        self,
        request: ParseRequest,
        skills: Sequence[LoadedSkill],
        reading: Reading,
        grammar: GrammarAnswer,
        deadline: float | None,
        lane: Lane,
    ) -> Reading:
        """Let the skills that are not of grammar read the correction instead.

        What they said of the text as it is has protected its slots; most texts need no correction.
        """
        others = [skill for skill in skills if skill.grammar is None]
        if not others or len(grammar.corrected) > MAX_TEXT:
            return reading
        asked = replace(request, text=grammar.corrected)
        lane = lane._replace(bulk=True)  # half of the work is done
        again = await self.reader.read(asked, others, deadline=deadline, lane=lane)
        found = iter(zip(again.results, again.steps, strict=True))
        results, steps = list(reading.results), list(reading.steps)
        for place, result in enumerate(reading.results):
            if result.grammar is None:
                read, later = next(found)
                results[place] = _mapped_back(read, request.text, grammar.edits)
                steps[place] += later
        timings = reading.timings + again.timings
        return replace(reading, results=tuple(results), timings=timings, steps=tuple(steps))

    async def _skills(self, request: ParseRequest, snapshot: Snapshot) -> list[LoadedSkill]:
        """Return the asked skills; which versions these are is settled before the first is waited for."""
        refs = request.skills or tuple(SkillRef(version.name) for version in snapshot.live())
        if not refs:
            raise UnknownSkillError(
                "no skill is live: train one with --promote, or promote one", field="skills"
            )
        routed = [routed_version(ref, request.session_id, snapshot) for ref in refs]
        versions = [
            version or await self._registry.find(ref) for ref, version in zip(refs, routed, strict=True)
        ]
        load = self._registry.load_explained if request.explain else self._registry.load
        return [await load(version) for version in versions]


def _mapped_back(result: SkillResult, text: str, edits: Sequence[Edit]) -> SkillResult:
    """Return what was said of the corrected text, in offsets of the text as it was sent."""
    if result.slots is None:
        return result
    slots = []
    for slot in result.slots.slots:
        start, end = map_span_back(edits, slot.start, slot.end)
        slots.append(replace(slot, start=start, end=end, raw=text[start:end]))
    return replace(result, slots=SlotsAnswer(tuple(slots)))


def _in_unit(result: SkillResult, text: str, unit: OffsetUnit) -> SkillResult:
    if unit is OffsetUnit.CODE_POINTS:
        return result
    if result.slots is not None:
        slots = tuple(_converted(slot, text, unit) for slot in result.slots.slots)
        result = replace(result, slots=SlotsAnswer(slots))
    if result.grammar is not None:
        edits = tuple(_converted(edit, text, unit) for edit in result.grammar.edits)
        result = replace(result, grammar=replace(result.grammar, edits=edits))
    return result


def _converted(spanned: SpannedT, text: str, unit: OffsetUnit) -> SpannedT:
    start, end = convert_span(text, (spanned.start, spanned.end), unit)
    return replace(spanned, start=start, end=end)
