"""Load on a server, open loop: requests go out at random moments (Poisson), whether answers come or not.

Latency counts from the moment that a request was meant to go out, so a generator or a server that is late
does not hide it (no coordinated omission). The generator is a process of its own and sends bytes that were
made before. As a program: latency against load on one skill, with a plot. Give the server a thread less than
there are CPUs, as the generator needs its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from hdrh.histogram import HdrHistogram  # type: ignore[import-untyped]

from benchmarks.catalogs import fill, skill_name
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show
from nlu.access import KEY_METADATA, PARSE_METHOD
from nlu.backbone import Backbone
from nlu.client_types import ParseRequest
from nlu.client_wire import write_request
from nlu.compute import Compute, choose
from skills.formats import read_intents

RAMP_SECONDS = 2.0  # at the beginning of each run, which do not count
TIMEOUT = 10.0  # s, of the client's own default
LONGEST = 60_000_000  # us that a histogram holds, to three digits
TEXTS = 20_000  # that all differ, ten times what a server remembers answers to
FRACTIONS = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)  # of the saturated server's answers
PROBE_RATE = 500.0  # requests/s that saturate a server of one thread
PLOT = Path(__file__).with_suffix(".svg")

Row = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One caller, who sends `rate` requests a second, one of the serialised messages each."""

    name: str
    rate: float
    messages: tuple[bytes, ...]
    api_key: str = ""


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

    def row(self, what: str, offered: float) -> Row:
        """Return the outcome as a line of a table."""
        late = HdrHistogram.decode(self.late).get_value_at_percentile(99) / 1e3
        return {
            "what": what,
            "offered/s": offered,
            "goodput/s": self.goodput,
            "refused %": 100 * self.refused,
            "failed %": 100 * self.failed,
            "p50 ms": self.milliseconds(50),
            "p99 ms": self.milliseconds(99),
            "sent late, p99 ms": late,
            "generator CPU %": 100 * self.processor,
        }


class _Sender:
    """Sends one source's requests and keeps the score."""

    def __init__(self, channel: grpc.aio.Channel, source: Source, seed: int) -> None:
        self._method: Any = channel.unary_unary(PARSE_METHOD)  # bytes in, bytes out
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
            await self._method(message, timeout=TIMEOUT, metadata=self._metadata)
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
            channels = [
                await stack.enter_async_context(
                    grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])
                )
                for _ in sources
            ]
            senders = [
                _Sender(*each)
                for each in zip(channels, sources, range(seed, seed + len(sources)), strict=True)
            ]
            return list(await asyncio.gather(*(sender.run(seconds) for sender in senders)))

    gc.collect()
    gc.freeze()  # pauses of the generator would count as the server's
    return asyncio.run(all_of_them())


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


@contextlib.contextmanager
def generating(url: str, compute: Compute, seconds: float, *options: str) -> Iterator[Generator]:
    """Start a server, and a generator beside it."""
    with (
        running(url, compute, *options) as server,
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
    ):
        yield Generator(server.address, pool, seconds)


def messages(texts: Sequence[str], *skills: str) -> tuple[bytes, ...]:
    """Return requests as they travel."""
    return tuple(write_request(ParseRequest(text, skills=skills)).SerializeToString() for text in texts)


def main() -> None:
    """Offer more and more, and draw the latency."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each rate")
    parser.add_argument("--queue-seconds", default="", help="the server's; default: its own")
    parser.add_argument("--plot", type=Path, default=PLOT, help="the picture (default: %(default)s)")
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    more = ("--queue-seconds", options.queue_seconds) if options.queue_seconds else ()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/load.db"
        texts = prepare(url, options.data)
        with generating(url, compute, options.seconds, *more) as generator:
            rows = sweep(generator, messages(texts, skill_name(0)))
    show("Latency against load", rows, where=machine(compute), target=options.json)
    plot(rows, options.plot)


def prepare(url: str, data: Path, skills: int = 2) -> list[str]:
    """Fill a catalog, and return texts to ask."""
    fill(url, Backbone.load(), read_intents(data / "banking77/train_10shot.jsonl").utterances, skills)
    test = [row.text for row in read_intents(data / "banking77/test.jsonl").utterances]
    return [f"{test[number % len(test)]} {number // len(test)}" for number in range(TEXTS)]


def sweep(generator: Generator, sent: tuple[bytes, ...]) -> list[Row]:
    """Saturate the server once to know what it can do, then offer fractions and multiples of that."""
    [saturated] = generator.run(Source("probe", PROBE_RATE, sent))
    rates = [fraction * saturated.goodput for fraction in FRACTIONS]
    outcomes = [generator.run(Source("load", rate, sent))[0] for rate in rates]
    return [
        outcome.row(f"{fraction:g}x", rate)
        for fraction, rate, outcome in zip(FRACTIONS, rates, outcomes, strict=True)
    ]


def plot(rows: Sequence[Row], target: Path) -> None:
    """Draw latency and goodput against what was offered."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    offered = [row["offered/s"] for row in rows]
    figure, (above, below) = pyplot.subplots(2, sharex=True)
    for name in ("p50 ms", "p99 ms"):
        above.plot(offered, [row[name] for row in rows], marker="o", label=name)
    below.plot(offered, [row["goodput/s"] for row in rows], marker="o", label="goodput/s")
    below.set_xlabel("offered requests/s")
    for axes in (above, below):
        axes.set_ylim(bottom=0)
        axes.legend()
    figure.savefig(target)


if __name__ == "__main__":
    main()
