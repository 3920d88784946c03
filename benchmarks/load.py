"""Load on a server, open loop: requests go out at random moments (Poisson), whether answers come or not.

As a program: latency against load on one skill, with a plot. Give the server a thread less than there are
CPUs, as the generator needs its own.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.catalogs import fill, skill_name
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.engine import choose_for_serving
from skills.formats import read_intents
from training.open_loop import PROBE_RATE, Generator, Outcome, Source, messages

TEXTS = 20_000  # that all differ, ten times what a server remembers answers to
FRACTIONS = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0)  # of the saturated server's answers
PLOT = Path(__file__).with_suffix(".svg")

Row = dict[str, Any]


def as_row(outcome: Outcome, what: str, offered: float) -> Row:
    """Return an outcome as a line of a table."""
    return {
        "what": what,
        "offered/s": offered,
        "goodput/s": outcome.goodput,
        "refused %": 100 * outcome.refused,
        "failed %": 100 * outcome.failed,
        "p50 ms": outcome.milliseconds(50),
        "p99 ms": outcome.milliseconds(99),
        "sent late, p99 ms": outcome.sent_late,
        "generator CPU %": 100 * outcome.processor,
    }


@contextlib.contextmanager
def generating(url: str, compute: Compute, seconds: float, *options: str) -> Iterator[Generator]:
    """Start a server, and a generator beside it."""
    with (
        running(url, compute, *options) as server,
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
    ):
        yield Generator(server.address, pool, seconds)


def main() -> None:
    """Offer more and more, and draw the latency."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="of each rate")
    parser.add_argument("--queue-seconds", default="", help="the server's; default: its own")
    parser.add_argument("--plot", type=Path, default=PLOT, help="the picture (default: %(default)s)")
    options = parser.parse_args()
    compute = choose_for_serving("auto", "auto", options.threads, "auto")
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
        as_row(outcome, f"{fraction:g}x", rate)
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
