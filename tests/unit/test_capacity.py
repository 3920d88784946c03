"""Capacities found on servers that are formulas, and what follows from them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from skills.errors import InputError
from training.capacity import Capacity, Offer, Plan, measure
from training.cli import plan
from training.cli.program import program
from training.open_loop import LONGEST, Outcome

MOST = 400.0  # answers a second of the formula's server


def formula(most: float = MOST, *, refuses_from: float = float("inf")) -> Offer:
    """A server whose latency is 1 / (most - rate) seconds, as of an M/M/1 queue."""

    def offer(rate: float) -> Outcome:
        histogram = HdrHistogram(1, LONGEST, 3)
        histogram.record_value(round(1e6 / max(most - rate, 1.0)))
        answered = min(rate, most)
        codes = Counter({"OK": round(answered), "RESOURCE_EXHAUSTED": round(max(0.0, rate - refuses_from))})
        return Outcome(1.0, codes, histogram.encode(), histogram.encode(), 0.1)

    return offer


@pytest.mark.parametrize(
    ("offer", "limit", "rate"),
    [
        (formula(), 10.0, 300.0),  # 1 / (400 - 300) s
        (formula(), 100.0, 390.0),
        (formula(refuses_from=200.0), 100.0, 200.0),  # in time, but not all of them
        (formula(4000.0), 2.0, 3500.0),  # faster than the first probe
    ],
)
def test_the_highest_rate_in_time_is_found(offer: Offer, limit: float, rate: float) -> None:
    capacity = measure(offer, limit)
    assert capacity.rate == pytest.approx(rate, rel=0.05)
    assert capacity.rate <= rate + 1
    assert capacity.p99 <= limit
    assert capacity.alone < capacity.p50
    assert capacity.saturated == pytest.approx(offer(1e6).goodput)


def test_a_time_that_one_request_alone_needs_is_refused() -> None:
    with pytest.raises(InputError, match=r"a p99 of 1 ms cannot be had here: .* a p99 of 2\.8 ms") as caught:
        measure(formula(), 1.0)
    assert caught.value.field == "p99"


@pytest.mark.parametrize(
    ("rps", "cpus", "servers", "replicas", "workers"),
    [(2000.0, 8, 25, 5, 8), (80.0, 8, 1, 2, 1), (81.0, 8, 2, 2, 2), (2000.0, 1, 25, 26, 1)],
)
def test_servers_have_room_and_one_replica_may_fail(
    rps: float, cpus: int, servers: int, replicas: int, workers: int
) -> None:
    capacity = Capacity(limit=30.0, rate=100.0, p50=5.0, p99=20.0, alone=4.0, saturated=150.0)
    found = Plan.of(rps, capacity, cpus=cpus, server_bytes=1000)
    assert (found.servers, found.replicas, found.workers) == (servers, replicas, workers)
    assert found.replica_bytes == 1000 * workers
    assert found.utilisation == pytest.approx(rps / (100 * servers)) and found.utilisation <= 0.8


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def measuring(*_: object) -> Iterator[Callable[[float], Outcome]]:
        yield formula()

    monkeypatch.setattr(plan, "_measuring", measuring)


@pytest.mark.usefixtures("measured")
def test_the_command_says_what_is_needed_and_what_it_assumes() -> None:
    arguments = ["plan", "--rps", "2000", "--p99", "10ms"]
    shown = CliRunner().invoke(program, arguments)
    document = json.loads(CliRunner().invoke(program, [*arguments, "--json"]).output)
    assert shown.exit_code == 0
    assert document["rps"] == 2000
    assert document["servers"] == 9  # of 300 requests/s, at 80 %
    assert f"{document['replicas']} with --workers {document['workers']}" in shown.output
    for assumption in document["assumptions"]:
        assert assumption in shown.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--p99", "30"], "'30' is no time: write 30ms or 0.5s"),
        (["--p99", "0ms"], "'0ms' is no time"),
        (["--p99", "30ms", "--rps", "0"], "0.0 is not in the range"),
        (["--p99", "1ms"], "a p99 of 1 ms cannot be had here"),
    ],
)
@pytest.mark.usefixtures("measured")
def test_what_cannot_be_planned_is_said(arguments: list[str], told: str) -> None:
    result = CliRunner().invoke(program, ["plan", "--rps", "100", *arguments])
    assert result.exit_code == 2
    assert told in result.output
