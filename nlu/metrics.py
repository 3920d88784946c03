"""What a server tells Prometheus: its instruments, and how things are when asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nlu.instruments import Instruments
from nlu.job_watch import JobWatch
from nlu.metrics_port import Publish, published
from nlu.service import Service
from nlu.tls import TlsFiles


class ServiceCollector(Collector):
    """Reads a service's numbers when it is asked, in another thread than they change in."""

    def __init__(self, service: Service, instruments: Instruments, jobs: JobWatch) -> None:
        self._service = service
        self._instruments = instruments
        self._jobs = jobs

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, and let the instruments, read before, forget the versions that are gone."""
        registry = self._service.registry
        snapshot = registry.snapshot
        served = {(version.name, str(version.version)) for version in snapshot.skills.values()}
        self._instruments.keep(served)
        age = time.monotonic() - registry.read_at
        yield _gauge("catalog_revision", "That is served.", snapshot.revision)
        yield _gauge("catalog_age_seconds", "Since the catalog last told its revision.", age)
        yield CounterMetricFamily("softspoken_swaps", "Of what is served.", registry.swaps)
        states = {"served": len(served), "refused": len(snapshot.refused)}
        yield _gauges("skill_versions", "That aliases name.", "state", states)
        yield _gauge("skill_memory_bytes", "Of skills in memory.", registry.resident_bytes)
        yield CounterMetricFamily(
            "softspoken_skill_loads", "At a request: not in memory then.", registry.loads
        )
        yield from self._batchers()
        if self._jobs.last is not None:
            counts = {str(state): count for state, count in self._jobs.last.counts.items()}
            yield _gauges("jobs", "Training jobs of the catalog.", "state", counts)
            yield _gauge("job_waiting_seconds", "Of the job that is due longest.", self._jobs.last.waiting)
        yield from self._trials(served)

    def _batchers(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("softspoken_queue_rows", "That wait for a batch.", labels=["batcher"])
        size = GaugeMetricFamily("softspoken_row_cache_bytes", "Of rows remembered.", labels=["batcher"])
        asked = CounterMetricFamily("softspoken_row_cache_rows", "Asked for.", labels=["batcher", "result"])
        for name, batcher in self._service.parser.reader.batchers.items():
            waiting.add_metric([name], batcher.waiting)
            size.add_metric([name], batcher.bytes)
            asked.add_metric([name, "hit"], batcher.hits)
            asked.add_metric([name, "miss"], batcher.misses)
        yield from (waiting, size, asked)

    def _trials(self, served: set[tuple[str, str]]) -> Iterator[Metric]:
        of_version = ["skill", "version", "role"]
        requests = CounterMetricFamily("softspoken_trial_requests", "Answered in a trial.", labels=of_version)
        seconds = CounterMetricFamily("softspoken_trial_seconds", "Queued and inferred.", labels=of_version)
        of_trial = ["skill", "live", "candidate"]
        agreed = CounterMetricFamily(
            "softspoken_trial_agreed", "Shadow answers that were the live one's.", labels=of_trial
        )
        dropped = CounterMetricFamily("softspoken_trial_dropped", "Copies not read.", labels=of_trial)
        for (skill, live, candidate), trial in list(self._service.parser.trials.trials.items()):
            if not {(skill, str(live)), (skill, str(candidate))} <= served:
                continue
            roles = (("live", live, trial.live), ("canary", candidate, trial.canary))
            for role, version, tally in (*roles, ("shadow", candidate, trial.shadow)):
                requests.add_metric([skill, str(version), role], tally.requests)
                seconds.add_metric([skill, str(version), role], tally.seconds)
            agreed.add_metric([skill, str(live), str(candidate)], trial.agreed)
            dropped.add_metric([skill, str(live), str(candidate)], trial.dropped)
        yield from (requests, seconds, agreed, dropped)


@asynccontextmanager
async def serving_metrics(
    service: Service,
    instruments: Instruments,
    address: str,
    *,
    tls: TlsFiles | None = None,
    publish: Publish = published,
) -> AsyncIterator[str]:
    """Let Prometheus read the instruments and the service's numbers, and yield the URL.

    Raises:
        InputError: the address cannot be listened on, or the files cannot be used.
    """
    jobs = JobWatch(service.catalog.jobs, instruments.job_ended)
    instruments.registry.register(ServiceCollector(service, instruments, jobs))
    ProcessCollector(registry=instruments.registry)
    with publish(instruments.registry, address, tls) as url:
        following = asyncio.create_task(jobs.follow())
        try:
            yield url
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"softspoken_{name}", text, value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"softspoken_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
