"""Trials of candidates under real traffic: a share of the sessions, and copies that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import partial

from nlu.reader import Reader, Reading
from nlu.registry import Registry, Snapshot
from skills.parse import IntentAnswer, Outcome, ParseRequest, SkillResult
from skills.skill import LIVE, SkillRef, SkillVersion
from skills.traffic import CANDIDATE

LOG_SECONDS = 60.0  # between two lines of a trial
COPIES = 8  # that are read at a time: more would queue behind each other

logger = logging.getLogger(__name__)


@dataclass
class Tally:
    """How many requests a version has answered, and how long they took (seconds, summed)."""

    requests: int = 0
    seconds: float = 0.0

    def add(self, reading: Reading) -> None:
        """Count one request."""
        self.requests += 1
        self.seconds += (reading.timings.queue_us + reading.timings.inference_us) / 1e6

    def __str__(self) -> str:
        return f"{self.requests} requests, {1000 * self.seconds / max(self.requests, 1):.1f} ms"


@dataclass
class Trial:
    """What is known of a candidate against the live version.

    canary: what the candidate answered; shadow: what it read besides, unseen, of which `agreed` as the live
    version had answered. dropped: copies that were not read, as others waited, or that failed.
    """

    live: Tally = field(default_factory=Tally)
    canary: Tally = field(default_factory=Tally)
    shadow: Tally = field(default_factory=Tally)
    agreed: int = 0
    dropped: int = 0
    logged: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        agreement = f"{100 * self.agreed / self.shadow.requests:.1f} %" if self.shadow.requests else "unknown"
        return (
            f"live {self.live}; canary {self.canary}; shadow {self.shadow}, agreement {agreement}, "
            f"{self.dropped} dropped"
        )


class Trials:
    """Counts what the versions on trial answer, and lets candidates read copies; one event loop's."""

    def __init__(self, registry: Registry, reader: Reader) -> None:
        self._registry = registry
        self._reader = reader
        self._copies: set[asyncio.Task[None]] = set()
        self.trials: dict[tuple[str, int, int], Trial] = {}  # of (skill, live version, candidate)

    def observe(self, request: ParseRequest, reading: Reading, snapshot: Snapshot) -> None:
        """Count what was answered to a request, and let candidates read copies of it later."""
        if not snapshot.trials:
            return
        for result in reading.results:
            traffic = snapshot.trials.get(result.skill)
            live, candidate = (snapshot.skills.get((result.skill, alias)) for alias in (LIVE, CANDIDATE))
            if traffic is None or live is None or candidate is None or live.version == candidate.version:
                continue
            trial = self.trials.setdefault((live.name, live.version, candidate.version), Trial())
            if result.version == candidate.version:
                trial.canary.add(reading)
            elif result.version == live.version:
                trial.live.add(reading)
                if traffic.is_shadowed(result.skill, request.request_id):
                    self._copy(request, candidate, result, trial)
            self._log(trial, live, candidate)

    def _copy(
        self, request: ParseRequest, candidate: SkillVersion, answered: SkillResult, trial: Trial
    ) -> None:
        if len(self._copies) >= COPIES or not self._reader.is_idle:
            trial.dropped += 1
            return
        copy = asyncio.create_task(self._compare(request, candidate, answered, trial))
        self._copies.add(copy)
        copy.add_done_callback(partial(self._end, trial))

    async def _compare(
        self, request: ParseRequest, candidate: SkillVersion, answered: SkillResult, trial: Trial
    ) -> None:
        reading = await self._reader.read(request, [await self._registry.load(candidate)])
        trial.shadow.add(reading)
        trial.agreed += agrees(answered, reading.results[0])

    def _end(self, trial: Trial, copy: asyncio.Task[None]) -> None:
        self._copies.discard(copy)
        if not copy.cancelled() and (error := copy.exception()) is not None:
            trial.dropped += 1
            logger.debug("a copy for a candidate was not read: %s", error)

    def _log(self, trial: Trial, live: SkillVersion, candidate: SkillVersion) -> None:
        now = time.monotonic()
        if now - trial.logged >= LOG_SECONDS:
            trial.logged = now
            logger.info("trial of %s against %s: %s", candidate, live, trial)


def routed_version(ref: SkillRef, session_id: str, snapshot: Snapshot) -> SkillVersion | None:
    """Return the version that an alias names, or the candidate if the session is in its share.

    None for a version that is asked by its number.

    Raises:
        UnknownSkillError, SkillRefusedError: as `Snapshot.find`.
    """
    if isinstance(ref.selector, int):
        return None
    traffic = snapshot.trials.get(ref.name)
    candidate = snapshot.skills.get((ref.name, CANDIDATE))
    if candidate and traffic and ref.selector == LIVE and session_id:
        if traffic.goes_to_candidate(ref.name, session_id):
            return candidate
    return snapshot.find(ref.name, ref.selector)


def agrees(first: SkillResult, second: SkillResult) -> bool:
    """Whether two versions say the same intent, slots and correction, however sure they are."""
    return _said(first) == _said(second)


def _said(result: SkillResult) -> tuple[object, ...]:
    intent, slots, grammar = result.intent, result.slots, result.grammar
    return (
        None if intent is None else _intent(intent),
        None if slots is None else [(slot.label, slot.start, slot.end) for slot in slots.slots],
        None if grammar is None else grammar.corrected,
    )


def _intent(answer: IntentAnswer) -> str:
    return "" if answer.outcome is Outcome.OUT_OF_SCOPE or not answer.ranking else answer.ranking[0].name
