"""`softspoken plan`: how many cores, replicas and bytes a load needs, as measured on this machine."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from training.cli.background_server import background_server
from training.cli.catalogs import open_catalog
from training.cli.options import json_option, setting, shared
from training.cli.output import Table, cell, percent, print_json, print_message, print_table

if TYPE_CHECKING:
    from training.capacity import Capacity, Offer, Plan
    from training.open_loop import Outcome

_UNITS = {"ms": 1.0, "s": 1000.0}
_TEXTS = 20_000  # that all differ
_RUNS = 7  # measurements, or one more on a fast machine


def _milliseconds(context: click.Context, option: click.Parameter, value: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s)", value.strip())
    if not found or not float(found[1]):
        raise click.BadParameter(f"{value!r} is no time: write 30ms or 0.5s", context, option)
    return float(found[1]) * _UNITS[found[2]]


@click.command()
@setting("--rps", type=click.FloatRange(min=0, min_open=True), required=True, help="Requests a second.")
@setting(
    "--p99",
    required=True,
    callback=_milliseconds,
    metavar="TIME",
    help="For 99 of 100 answers: 30ms, 0.5s.",
)
@setting("--skills", type=click.IntRange(min=1), default=1, help="In the catalog; each request asks one.")
@setting(
    "--seconds",
    type=click.FloatRange(min=1),
    default=5.0,
    help="Of each of some seven measurements.",
)
@shared("--cache-dir", type=click.Path(path_type=Path, file_okay=False), help="Converted models.")
@json_option
def plan(rps: float, p99: float, skills: int, seconds: float, cache_dir: Path | None, json: bool) -> None:
    """Measure a server with one thread here, and say what a load needs.

    Takes about a minute, on a machine with nothing else to do and at least two CPUs, one of them for the
    callers. Stand-ins of intent skills are asked; slots take about as long, corrections several times that.
    """
    from nlu.compute import available_cpus
    from training.capacity import Plan, measure

    with _measuring(skills, seconds, cache_dir) as offer:
        capacity = measure(offer, p99)
    peak = getrusage(RUSAGE_CHILDREN).ru_maxrss << 10  # the server's: the largest of all child processes
    found = Plan.of(rps, capacity, cpus=available_cpus(), server_bytes=peak)
    assumptions = _assumptions(capacity, skills)
    if json:
        print_json({"rps": rps, **asdict(capacity), **asdict(found), "assumptions": assumptions})
        return
    print_table(_table(rps, capacity, found))
    for each in assumptions:
        click.echo(f"* {each}")


@contextmanager
def _measuring(skills: int, seconds: float, cache: Path | None) -> Iterator[Offer]:
    """Start a server of stand-ins and what sends to it; yields a function that offers it requests."""
    from nlu.backbone import Backbone
    from training.open_loop import Generator, Source, messages
    from training.stand_in import publish_stand_ins, stand_in_texts

    with TemporaryDirectory(prefix="softspoken-") as folder:
        url = f"sqlite:///{Path(folder, 'plan.db')}"
        with open_catalog(url, create=True) as catalog:
            names = publish_stand_ins(catalog, Backbone.load(cache=cache), skills)
        texts = stand_in_texts(_TEXTS)
        sent = tuple(
            message for number, name in enumerate(names) for message in messages(texts[number::skills], name)
        )
        options = ("--row-cache", "0", "--log-level", "error")
        with (
            background_server(url, Path(folder, "log"), *options, cache=cache, threads=1) as address,
            ProcessPoolExecutor(1, get_context("spawn")) as pool,
            _progress() as tell,
        ):
            generator = Generator(address, pool, seconds)

            def offer(rate: float) -> Outcome:
                [outcome] = generator.run(Source("plan", rate, sent))
                tell(
                    f"{rate:.0f} requests/s: {outcome.goodput:.0f} answered, "
                    f"p50 {outcome.milliseconds(50):.1f} ms, p99 {outcome.milliseconds(99):.1f} ms"
                )
                return outcome

            yield offer


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Yield what tells of each measurement: a bar on a terminal, and a line elsewhere."""
    if not sys.stderr.isatty():
        yield print_message
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("measuring", total=_RUNS)
        yield lambda line: bar.update(task, advance=1, description=line)


def _table(rps: float, capacity: Capacity, plan: Plan) -> Table:
    rows = {
        "one server, one thread, in time": f"{capacity.rate:.0f} requests/s "
        f"(p50 {capacity.p50:.1f} ms, p99 {capacity.p99:.1f} ms)",
        "the most that it answers": f"{capacity.saturated:.0f} requests/s",
        "cores": f"{plan.servers}, each {percent(plan.utilisation)} busy with what it can do in time",
        "replicas": f"{plan.replicas} with --workers {plan.workers}, one of them to spare",
        "memory of a replica": f"{plan.replica_bytes / (1 << 30):.1f} GiB",
    }
    title = f"{rps:g} requests/s with a p99 of {capacity.limit:g} ms"
    return Table(("", title), [(cell(name), cell(value)) for name, value in rows.items()])


def _assumptions(capacity: Capacity, skills: int) -> list[str]:
    from training.capacity import HEADROOM

    return [
        f"requests ask one of {skills} skills of intents for a text of a dozen words that no cache knows, "
        f"and come at random moments (Poisson); alone, one takes {capacity.alone:.1f} ms",
        f"servers are planned at {percent(HEADROOM)} of the measured rate; their many connections are shared "
        "out evenly",
        "a replica is a machine like this one; what else ran on it meanwhile is in the figures",
    ]
