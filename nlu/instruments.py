"""The counters and histograms of calls, answers, batches and jobs, for Prometheus (docs/observability.md).

Labels are bounded: methods, codes and reasons are ours, and of skill versions the first VERSIONS that answer
are told apart. A version that is no longer served is read once more, and dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from nlu.observer import Answered, Observer
from nlu.reader import Steps
from nlu.status import CODES_AND_REASONS, Status
from skills.job import JobState
from skills.parse import Outcome, SkillResult

VERSIONS = 128  # told apart; each has some 70 series, and a reading of all of them takes 0.1 s
MORE = ("(more)", "")  # the skill and the version of all others; no skill can be called that
LATENCIES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)  # s
CONFIDENCES = (0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TOKENS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
TRAININGS = (10, 30, 60, 120, 300, 600, 1800, 3600, 14400)  # s

_OF_VERSION = ("skill", "version")
_STAGES = ("tokenise", "queue", "inference", "whole")

Key: TypeAlias = tuple[str, str]  # a skill's name and the number of its version


@dataclass(frozen=True)
class _VersionInstruments:
    """What is counted of one version."""

    tokenise: Histogram
    queue: Histogram
    inference: Histogram
    whole: Histogram
    confidence: Histogram
    outcomes: dict[Outcome, Counter]


class Instruments(Observer):
    """Counts what it is told in `registry`, which Prometheus reads in another thread."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a third of all lines, and nobody asks
        self.registry = CollectorRegistry()
        self._calls = self._counter("requests", "Calls that ended.", "method", "code")
        self._seconds = self._histogram("request_seconds", "Of calls, whole.", LATENCIES, "method")
        self._errors = self._counter("errors", "Of calls and of items of calls.", "code", "reason")
        for code, reason in CODES_AND_REASONS:  # so that a first error is an increase
            self._errors.labels(code, reason)
        self._latency = self._histogram(
            "latency_seconds", "Of answers, by what took it.", LATENCIES, "stage", *_OF_VERSION
        )
        self._confidence = self._histogram(
            "confidence", "Of the best intent, of each slot, that a text is right.", CONFIDENCES, *_OF_VERSION
        )
        self._outcomes = self._counter("answers", "By outcome.", *_OF_VERSION, "outcome")
        self._rows = self._histogram("batch_rows", "Rows of batches.", ROWS, "batcher")
        self._tokens = self._histogram("batch_tokens", "Tokens of batches, unpadded.", TOKENS, "batcher")
        self._padding = self._counter("batch_padding_tokens", "Computed in vain.", "batcher")
        self._jobs = self._histogram("job_seconds", "Of ended jobs, from their start.", TRAININGS, "state")
        for state in filter(lambda each: each.is_final, JobState):
            self._jobs.labels(str(state))
        self._versions: dict[Key, _VersionInstruments] = {}
        self._served: frozenset[Key] = frozenset()

    def ended(self, method: str, code: str, seconds: float) -> None:
        name = method if method.startswith("/") else method.rpartition("/")[2]
        self._calls.labels(name, code).inc()
        self._seconds.labels(name).observe(seconds)

    def failed(self, status: Status) -> None:
        self._errors.labels(status.code.name, status.reason).inc()

    def answered(self, answer: Answered) -> None:
        tokenise, whole = answer.reading.timings.tokenise_us / 1e6, answer.ended - answer.began
        for result, steps in zip(answer.reading.results, answer.reading.steps, strict=True):
            version = self._version((result.skill, str(result.version)))
            version.outcomes[result.outcome].inc()
            version.whole.observe(whole)
            if steps:  # a blank text needs none
                _observe_steps(version, tokenise, steps)
                for confidence in _confidences(result):
                    version.confidence.observe(confidence)

    def computed(self, batcher: str, lengths: Sequence[int], padding: int) -> None:
        self._rows.labels(batcher).observe(len(lengths))
        self._tokens.labels(batcher).observe(sum(lengths))
        self._padding.labels(batcher).inc(padding)

    def job_ended(self, state: JobState, seconds: float) -> None:
        """Count a training job that has ended."""
        self._jobs.labels(str(state)).observe(seconds)

    def keep(self, served: Iterable[Key]) -> None:
        """Drop the versions that are not served; to be called at the end of a reading, which had them."""
        if (versions := frozenset(served)) != self._served:  # those asked by number stay till then
            self._served = versions
            for key in frozenset(self._versions) - versions - {MORE}:
                self._forget(key)

    def _version(self, key: Key) -> _VersionInstruments:
        found = self._versions.get(key)
        if found is None:
            if len(self._versions) >= VERSIONS and key != MORE:
                return self._version(MORE)
            found = self._versions[key] = _VersionInstruments(
                **{stage: self._latency.labels(stage, *key) for stage in _STAGES},
                confidence=self._confidence.labels(*key),
                outcomes={outcome: self._outcomes.labels(*key, str(outcome)) for outcome in Outcome},
            )
        return found

    def _forget(self, key: Key) -> None:
        if self._versions.pop(key, None) is None:
            return
        for stage in _STAGES:
            self._latency.remove(stage, *key)
        self._confidence.remove(*key)
        for outcome in Outcome:
            self._outcomes.remove(*key, str(outcome))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"softspoken_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, bounds: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"softspoken_{name}", text, labels, buckets=bounds, registry=self.registry)


def _observe_steps(version: _VersionInstruments, tokenise: float, steps: Steps) -> None:
    version.tokenise.observe(tokenise)
    version.queue.observe(sum(step.queue_seconds for step in steps))
    version.inference.observe(sum(step.seconds for step in steps))


def _confidences(result: SkillResult) -> list[float]:
    """Return how sure a skill is: of its best intent, of each slot, or that a text needs no correction."""
    if result.intent is not None:
        return [score.confidence for score in result.intent.ranking[:1]]
    if result.slots is not None:
        return [slot.confidence for slot in result.slots.slots]
    return [] if result.grammar is None else [result.grammar.confidence]
