"""Load on a server, open loop: requests go out at random moments (Poisson), whether answers come or not.

Latency counts from the moment that a request was meant to go out, so a generator or a server that is late
does not hide it (no coordinated omission). The generator is a process of its own and sends bytes that were
made before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from nlu.access import KEY_METADATA, PARSE_METHOD
from nlu.client_types import ParseRequest
from nlu.client_wire import write_request

RAMP_SECONDS = 2.0  # at the beginning of each run, which do not count
TIMEOUT = 10.0  # s, of the client's own default
LONGEST = 60_000_000  # us that a histogram holds, to three digits
PROBE_RATE = 500.0  # requests/s that saturate a server of one thread


@dataclass(frozen=True)
class Source:
    """One caller, who sends `rate` requests a second, one of the serialised messages each.

    connections: that take turns; servers that share a port share these out.
    """

    name: str
    rate: float
    messages: tuple[bytes, ...]
    api_key: str = ""
    connections: int = 1


@dataclass
class Outcome:
    """What became of one caller's requests; histograms are HDR, of microseconds, encoded.

    late: how long after they were meant to go out the requests went. processor: the generator's, as a share
    of one CPU.
    """

    seconds: float
    codes: Counter[str] = field(default_factory=Counter)
    latency: bytes = b""
    late: bytes = b""
    processor: float = 0.0

    @property
    def goodput(self) -> float:
        """Answers a second."""
        return self.codes["OK"] / self.seconds

    @property
    def refused(self) -> float:
        """The share of requests that were refused."""
        return self.codes["RESOURCE_EXHAUSTED"] / max(1, self.codes.total())

    @property
    def failed(self) -> float:
        """The share of requests that were neither answered nor refused."""
        return 1 - self.refused - self.codes["OK"] / max(1, self.codes.total())

    def milliseconds(self, percentile: float) -> float:
        """Return a percentile of the latency of what was answered."""
        return float(HdrHistogram.decode(self.latency).get_value_at_percentile(percentile)) / 1e3

    @property
    def sent_late(self) -> float:
        """The 99th percentile of how many milliseconds late requests went."""
        return float(HdrHistogram.decode(self.late).get_value_at_percentile(99)) / 1e3


class _Sender:
    """Sends one source's requests and keeps the score."""

    def __init__(self, channels: Sequence[grpc.aio.Channel], source: Source, seed: int) -> None:
        self._methods: Sequence[Any] = [each.unary_unary(PARSE_METHOD) for each in channels]  # of bytes
        self._source = source
        self._generator = np.random.default_rng(seed)
        self._next = int(self._generator.integers(len(source.messages)))
        self._metadata = ((KEY_METADATA, f"Bearer {source.api_key}"),) if source.api_key else ()
        self._latency, self._late = (HdrHistogram(1, LONGEST, 3) for _ in range(2))
        self._codes: Counter[str] = Counter()

    async def run(self, seconds: float) -> Outcome:
        """Send for so long, and wait for the answers."""
        begin = due = time.monotonic()
        end = begin + RAMP_SECONDS + seconds
        processor = time.process_time()
        async with asyncio.TaskGroup() as calls:
            while (due := due + self._generator.exponential(1 / self._source.rate)) < end:
                if (pause := due - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                calls.create_task(self._send(due, counts=due > begin + RAMP_SECONDS))
            share = (time.process_time() - processor) / (time.monotonic() - begin)
        return Outcome(seconds, self._codes, self._latency.encode(), self._late.encode(), share)

    async def _send(self, due: float, *, counts: bool) -> None:
        message = self._source.messages[self._next % len(self._source.messages)]
        self._next += 1
        sent, code = time.monotonic(), grpc.StatusCode.OK
        try:
            method = self._methods[self._next % len(self._methods)]
            await method(message, timeout=TIMEOUT, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            code = error.code()
        if not counts:
            return
        self._codes[code.name] += 1
        self._late.record_value(1 + round(1e6 * (sent - due)))
        if code is grpc.StatusCode.OK:
            self._latency.record_value(min(LONGEST, 1 + round(1e6 * (time.monotonic() - due))))


def send(address: str, sources: Sequence[Source], seconds: float, seed: int) -> list[Outcome]:
    """Send what all sources send, at the same time; runs in the generator's process."""

    async def all_of_them() -> list[Outcome]:
        async with contextlib.AsyncExitStack() as stack:
            senders = []
            for number, source in enumerate(sources):
                channels = [_channel(address) for _ in range(source.connections)]
                for channel in channels:
                    await stack.enter_async_context(channel)
                senders.append(_Sender(channels, source, seed + number))
            return list(await asyncio.gather(*(sender.run(seconds) for sender in senders)))

    gc.collect()
    gc.freeze()  # pauses of the generator would count as the server's
    return asyncio.run(all_of_them())


def _channel(address: str) -> grpc.aio.Channel:
    """Return a channel with a connection of its own."""
    return grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])


class Generator:
    """The process that sends; `seconds` that each run counts."""

    def __init__(self, address: str, pool: ProcessPoolExecutor, seconds: float) -> None:
        self._address = address
        self._pool = pool
        self._seconds = seconds
        self._runs = 0

    def run(self, *sources: Source) -> list[Outcome]:
        """Return what became of each source's requests."""
        self._runs += 1
        return self._pool.submit(send, self._address, sources, self._seconds, 100 * self._runs).result()


def messages(texts: Sequence[str], *skills: str) -> tuple[bytes, ...]:
    """Return requests as they travel."""
    return tuple(write_request(ParseRequest(text, skills=skills)).SerializeToString() for text in texts)
