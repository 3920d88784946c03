"""What a server tells Prometheus, on a port of its own: what is served, and how trials of candidates go."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from nlu.service import Service
from nlu.tls import TlsFiles
from skills.errors import InputError


class ServiceCollector(Collector):
    """Reads a service's numbers when it is asked, in another thread than they change in."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        registry = self._service.registry
        snapshot = registry.snapshot
        yield GaugeMetricFamily("softspoken_catalog_revision", "That is served.", snapshot.revision)
        versions = GaugeMetricFamily("softspoken_skill_versions", "That aliases name.", labels=["state"])
        served = {(version.name, version.version) for version in snapshot.skills.values()}
        versions.add_metric(["served"], len(served))
        versions.add_metric(["refused"], len(snapshot.refused))
        yield versions
        yield GaugeMetricFamily("softspoken_skill_memory_bytes", "Of skills.", registry.resident_bytes)
        yield from self._trials()

    def _trials(self) -> Iterator[Metric]:
        of_version = ["skill", "version", "role"]
        requests = CounterMetricFamily("softspoken_trial_requests", "Answered in a trial.", labels=of_version)
        seconds = CounterMetricFamily("softspoken_trial_seconds", "Queued and inferred.", labels=of_version)
        of_trial = ["skill", "live", "candidate"]
        agreed = CounterMetricFamily(
            "softspoken_trial_agreed", "Shadow answers that were the live one's.", labels=of_trial
        )
        dropped = CounterMetricFamily("softspoken_trial_dropped", "Copies not read.", labels=of_trial)
        for (skill, live, candidate), trial in list(self._service.parser.trials.trials.items()):
            roles = (("live", live, trial.live), ("canary", candidate, trial.canary))
            for role, version, tally in (*roles, ("shadow", candidate, trial.shadow)):
                requests.add_metric([skill, str(version), role], tally.requests)
                seconds.add_metric([skill, str(version), role], tally.seconds)
            agreed.add_metric([skill, str(live), str(candidate)], trial.agreed)
            dropped.add_metric([skill, str(live), str(candidate)], trial.dropped)
        yield from (requests, seconds, agreed, dropped)


@contextmanager
def serving_metrics(service: Service, address: str, *, tls: TlsFiles | None = None) -> Iterator[str]:
    """Serve Prometheus' text format on HOST:PORT in a thread of its own, and yield the URL.

    With TLS files it is HTTPS, and follows them; it asks for no client certificate.

    Raises:
        InputError: the address cannot be listened on, or the files cannot be used.
    """
    follow = None if tls is None else replace(tls, client_ca=None).context().sni_callback
    registry = CollectorRegistry()
    registry.register(ServiceCollector(service))
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(
            int(port),
            host.strip("[]"),
            registry,
            certfile=None if tls is None else str(tls.certificate),
            keyfile=None if tls is None else str(tls.key),
        )
        if isinstance(server.socket, ssl.SSLSocket):
            server.socket.context.sni_callback = follow
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(
            f"cannot listen on {address} for metrics ({error}): name a free HOST:PORT of this machine",
            field="metrics",
        ) from error
    try:
        yield f"{'http' if tls is None else 'https'}://{host}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
