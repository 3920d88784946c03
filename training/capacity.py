"""How many requests a second one server answers in time, and how many servers others therefore need."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from skills.errors import InputError
from training.open_loop import PROBE_RATE, Outcome

LOW = 0.1  # of what a saturated server answers: its callers hardly meet
STEPS = 5  # of the bisection: to a thirtieth of that
OVERLOADED = 0.9  # of what is offered is answered at most, where it is more than can be
MOST_REFUSED = 0.001  # of the requests, where the p99 is said to be held
HEADROOM = 0.8  # of the measured rate is planned with: minutes are busier than others, and so are connections

Offer = Callable[[float], Outcome]  # so many requests a second, for some seconds


@dataclass(frozen=True)
class Capacity:
    """What one server with one thread can do; latencies in milliseconds.

    rate: requests/s at which the 99th percentile still is within the limit; saturated: answers/s of more
    requests than it can answer.
    """

    limit: float
    rate: float
    p50: float
    p99: float
    alone: float
    saturated: float


@dataclass(frozen=True)
class Plan:
    """What a load needs; a replica is a machine like this one, with a server for each CPU."""

    servers: int
    replicas: int
    workers: int
    replica_bytes: int
    utilisation: float

    @classmethod
    def of(cls, rps: float, capacity: Capacity, *, cpus: int, server_bytes: int) -> Plan:
        """Return it: as many servers as keep the load under HEADROOM, and one replica to spare."""
        servers = math.ceil(rps / (HEADROOM * capacity.rate))
        workers = min(cpus, servers)
        return cls(
            servers=servers,
            replicas=math.ceil(servers / workers) + 1,
            workers=workers,
            replica_bytes=workers * server_bytes,
            utilisation=rps / (servers * capacity.rate),
        )


def measure(offer: Offer, limit: float) -> Capacity:
    """Find the highest rate whose p99 is within `limit` milliseconds, by bisection below saturation.

    Raises:
        InputError: requests that hardly meet others take longer already.
    """
    saturated = _saturated(offer)
    low, high = LOW * saturated, saturated
    alone = best = offer(low)
    if not _holds(alone, limit):
        raise InputError(
            f"a p99 of {limit:g} ms cannot be had here: requests that hardly meet others have a p99 of "
            f"{alone.milliseconds(99):.1f} ms and a median of {alone.milliseconds(50):.1f} ms; allow more "
            "time, or stop what else runs on this machine",
            field="p99",
        )
    for _ in range(STEPS):
        rate = (low + high) / 2
        outcome = offer(rate)
        if _holds(outcome, limit):
            low, best = rate, outcome
        else:
            high = rate
    return Capacity(
        limit, low, best.milliseconds(50), best.milliseconds(99), alone.milliseconds(50), saturated
    )


def _saturated(offer: Offer) -> float:
    """Return the answers a second of more requests than can be answered."""
    rate = PROBE_RATE
    while (goodput := offer(rate).goodput) > OVERLOADED * rate:
        rate *= 2
    return goodput


def _holds(outcome: Outcome, limit: float) -> bool:
    return outcome.refused + outcome.failed <= MOST_REFUSED and outcome.milliseconds(99) <= limit
