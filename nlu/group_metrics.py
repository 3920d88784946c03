"""What a group of servers tells Prometheus: all that each of them does, with the label `worker`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from nlu.metrics_port import published
from nlu.server_settings import ServerSettings

Pages = Callable[[], Iterable[tuple[str, str]]]


class GroupCollector(Collector):
    """Asks the servers when it is asked itself; `pages` gives the number of each, and its metrics as text."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def collect(self) -> Iterable[Metric]:
        """Return every metric once, with the samples of all servers."""
        families: dict[str, Metric] = {}
        for number, page in self._pages():
            for family in text_string_to_metric_families(page):
                told = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    told.samples.append(sample._replace(labels={**sample.labels, "worker": number}))
        return families.values()


def serving_group_metrics(pages: Pages, settings: ServerSettings) -> AbstractContextManager[str]:
    """Serve the metrics of all servers on one port, as one server does its own.

    Raises:
        InputError: the address cannot be listened on, or the files cannot be used.
    """
    registry = CollectorRegistry()
    registry.register(GroupCollector(pages))
    return published(registry, settings.metrics, settings.tls)
