"""Soak: mixed traffic for half an hour, while versions of every skill change all the time.

One caller each asks for intents, slots, corrections, all skills at once, batches and streams, with pauses
drawn by a seed. Every `--swap-seconds` another process publishes, promotes or rolls back one of the skills.
Every 5 s the server's memory, descriptors and threads are noted, and its metrics are read. The level is the
median of the first tenth of the time after the warm-up, the end that of the last tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import socket
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.catalogs import databases, intent_heads
from benchmarks.server_process import ServerProcess, running
from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.client import AsyncClient, ClientError, OverloadedError, ParseRequest, ParseResult
from nlu.compute import Compute
from nlu.engine import choose_for_serving
from skills.correction_dataset import CorrectionDataset
from skills.formats import read_corrections, read_intents, read_slots
from skills.skill import LIVE, SkillDraft, SkillRef
from skills.slot_dataset import build_slots
from storage.catalog import Catalog
from training.config import CorrectionConfig, SlotConfig
from training.correction_trainer import train_corrections
from training.slot_trainer import train_slots
from training.stand_in import deep_prompt, intent_draft

SAMPLE_SECONDS = 5.0
BATCH = 16  # texts of a batch, and of a stream
GATE_ROWS = 64
PAUSES = 10_000  # after which they come again
TIMEOUT = 300.0  # s, for an answer on a machine that is busy with something else
PLOT = Path(__file__).with_suffix(".svg")


Call = Callable[[int], Coroutine[Any, Any, Sequence[ParseResult | ClientError]]]


@dataclass(frozen=True)
class Sample:
    """What the server took, and how many calls had been answered by then; seconds since the beginning."""

    seconds: float
    memory: int
    descriptors: int
    threads: int
    answered: int


@dataclass
class Traffic:
    """All that callers have got."""

    answered: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    refused: int = 0

    async def ask(self, kind: str, call: Call, number: int) -> None:
        """Make one call, again if the server has too much to do, and count what it answers."""
        while True:
            try:
                results = await call(number)
            except ClientError as error:
                results = [error]
            overloaded = [each for each in results if isinstance(each, OverloadedError)]
            if not overloaded:
                break
            self.refused += 1
            await asyncio.sleep(max(each.retry_after or 0.0 for each in overloaded))
        self.failed += [f"{kind}: {each}" for each in results if isinstance(each, ClientError)]
        self.answered[kind] = self.answered.get(kind, 0) + 1


def main() -> None:
    """Serve for so long, and compare the end with the level after the warm-up."""
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="after the warm-up")
    parser.add_argument("--warm-up-minutes", type=float, default=5)
    parser.add_argument("--calls", type=float, default=6, help="a second, of all callers together")
    parser.add_argument("--swap-seconds", type=float, default=3)
    parser.add_argument("--plot", type=Path, default=PLOT, help="the picture (default: %(default)s)")
    options = parser.parse_args()
    compute = choose_for_serving("auto", "auto", options.threads, "auto")
    with (
        databases(postgres=False) as make_database,
        ProcessPoolExecutor(1, get_context("spawn")) as elsewhere,
    ):
        url = make_database("soak")
        _fill(url, options, compute)
        samples, traffic, swaps = asyncio.run(_soak(url, options, compute, elsewhere))
    show("Soak", _results(samples, traffic, swaps, options), where=machine(compute), target=options.json)
    _plot(samples, 60 * options.warm_up_minutes, options.plot)


def _fill(url: str, options: argparse.Namespace, compute: Compute) -> None:
    """Publish a skill of each kind, of the size of trained ones; they are fast to make, not good."""
    backbone = Backbone.load()
    train = read_intents(options.data / "banking77/train_10shot.jsonl").utterances
    prompt = deep_prompt(backbone, np.random.default_rng(13))
    dataset, _ = build_slots(read_slots(options.data / "snips_cased/dev.jsonl").utterances, seed=13)
    config = SlotConfig.make(min_steps=20, max_steps=20, refit_rows=0)
    corrections = read_corrections(options.data / "eracond/dev.jsonl").sentences
    untrained = CorrectionConfig.make(max_steps=0, min_steps=0)  # the packaged prompt, and a gate
    drafts = (
        intent_draft(backbone, "intents", prompt, intent_heads(backbone, train)[0]),
        train_slots("slots", dataset, backbone, config, {}, compute).draft,
        train_corrections(
            "grammar", CorrectionDataset(corrections, corrections[:GATE_ROWS]), backbone, untrained, compute
        ).draft,
    )
    catalog = Catalog.open(url)
    for draft in drafts:
        catalog.publish(draft, alias=LIVE)
    catalog.close()


async def _soak(
    url: str, options: argparse.Namespace, compute: Compute, elsewhere: Executor
) -> tuple[list[Sample], Traffic, int]:
    metrics = f"127.0.0.1:{_free_port()}"
    with running(url, compute, "--metrics", metrics) as server:
        async with AsyncClient(server.address, timeout=TIMEOUT) as client:
            until = time.monotonic() + 60 * (options.warm_up_minutes + options.minutes)
            swapping = asyncio.wrap_future(elsewhere.submit(swap, url, until, options.swap_seconds))
            traffic = Traffic()
            async with asyncio.TaskGroup() as tasks:
                kinds = _calls(client, options.data)
                for number, (kind, call) in enumerate(kinds.items()):
                    pauses = np.random.default_rng(number).exponential(len(kinds) / options.calls, PAUSES)
                    tasks.create_task(_keep_asking(traffic, kind, call, pauses.tolist(), until))
                sampling = tasks.create_task(_sample(server, traffic, f"http://{metrics}/metrics", until))
            return sampling.result(), traffic, await swapping


def _calls(client: AsyncClient, data: Path) -> dict[str, Call]:
    """Return what is asked by name of its kind; the number tells which texts."""
    bank = [row.text for row in read_intents(data / "banking77/test.jsonl").utterances]
    music = [row.text for row in read_slots(data / "snips_cased/test.jsonl").utterances]
    chat = [row.text for row in read_corrections(data / "eracond" / "test.jsonl").sentences]

    def requests(number: int, count: int) -> list[ParseRequest]:
        """One text after the other, each of another skill."""
        asked = itertools.islice(zip(bank, music, chat, strict=False), number % len(chat), None)
        named = (zip(("intents", "slots", "grammar"), each, strict=True) for each in itertools.cycle(asked))
        flat = itertools.chain.from_iterable(named)
        return [ParseRequest(text, skills=(name,)) for name, text in itertools.islice(flat, count)]

    async def one(texts: Sequence[str], skills: Iterable[str], number: int) -> Sequence[ParseResult]:
        return [await client.parse(ParseRequest(texts[number % len(texts)], skills=tuple(skills)))]

    async def batch(number: int) -> Sequence[ParseResult | ClientError]:
        return await client.batch_parse(requests(number, BATCH))

    async def stream(number: int) -> Sequence[ParseResult | ClientError]:
        async def sent() -> AsyncIterator[ParseRequest]:
            for request in requests(number, BATCH):
                yield request

        return [answer async for _, answer in client.stream_parse(sent())]

    return {
        "intents": partial(one, bank, ["intents"]),
        "slots": partial(one, music, ["slots"]),
        "grammar": partial(one, chat, ["grammar"]),
        "all skills": partial(one, chat, []),
        "batch": batch,
        "stream": stream,
    }


async def _keep_asking(
    traffic: Traffic, kind: str, call: Call, pauses: Sequence[float], until: float
) -> None:
    for number, pause in enumerate(itertools.cycle(pauses)):
        await asyncio.sleep(pause)
        if time.monotonic() > until:
            return
        await traffic.ask(kind, call, number)


async def _sample(server: ServerProcess, traffic: Traffic, metrics: str, until: float) -> list[Sample]:
    began, samples = time.monotonic(), []
    while time.monotonic() < until:
        await asyncio.sleep(SAMPLE_SECONDS)
        await asyncio.to_thread(_read, metrics)
        process, answered = server.process, sum(traffic.answered.values())
        taken = server.memory(), process.num_fds(), process.num_threads()
        samples.append(Sample(time.monotonic() - began, *taken, answered))
    return samples


def _read(url: str) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310
        response.read()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def swap(url: str, until: float, seconds: float) -> int:
    """Change one skill after the other, each in turn in three ways, and return how often."""
    catalog = Catalog.open(url)
    drafts = {each.name: SkillDraft.of(each, catalog.tensors(each)) for each in catalog.aliased()}
    steps: tuple[Callable[[str], object], ...] = (
        lambda name: catalog.publish(drafts[name], alias=LIVE),
        lambda name: catalog.promote(SkillRef(name, 1)),
        lambda name: catalog.rollback(name),
    )
    for count, (step, name) in enumerate(itertools.cycle(itertools.product(steps, drafts))):
        if time.monotonic() > until:
            catalog.close()
            return count
        step(name)
        time.sleep(seconds)
    raise AssertionError("a cycle has no end")


def _results(
    samples: Sequence[Sample], traffic: Traffic, swaps: int, options: argparse.Namespace
) -> list[dict[str, Any]]:
    kept = [each for each in samples if each.seconds > 60 * options.warm_up_minutes]
    tenth = max(1, len(kept) // 10)
    memory = np.array([each.memory for each in kept], float)
    level, end = float(np.median(memory[:tenth])), float(np.median(memory[-tenth:]))
    answered = ", ".join(f"{kind} {count}" for kind, count in sorted(traffic.answered.items()))
    rows = [
        ("failed calls and items", len(traffic.failed), "; ".join(traffic.failed[:3])),
        ("calls refused as too many, and made again", traffic.refused, ""),
        ("calls answered", sum(traffic.answered.values()), answered),
        ("versions swapped", swaps, f"one every {options.swap_seconds:g} s"),
        ("memory at the end, % of the level", 100 * (end / level - 1), f"level {level / 1e6:.0f} MB"),
        (
            "largest sample, % above the level",
            100 * (float(memory.max()) / level - 1),
            f"{len(kept)} samples",
        ),
    ]
    for name in ("descriptors", "threads"):
        values = [int(getattr(each, name)) for each in kept]
        first, last = int(np.median(values[:tenth])), int(np.median(values[-tenth:]))
        rows.append((f"more {name} at the end", last - first, f"{min(values)} to {max(values)}"))
    return [{"measurement": what, "value": value, "detail": detail} for what, value, detail in rows]


def _plot(samples: Sequence[Sample], warm_seconds: float, target: Path) -> None:
    from matplotlib.figure import Figure

    minutes = [each.seconds / 60 for each in samples]
    lines: dict[str, list[float]] = {
        "memory, MB": [each.memory / 1e6 for each in samples],
        "descriptors": [each.descriptors for each in samples],
        "threads": [each.threads for each in samples],
        "calls answered": [each.answered for each in samples],
    }
    figure = Figure(figsize=(8, 8), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(len(lines), sharex=True), lines.items(), strict=True):
        axes.plot(minutes, values)
        axes.axvline(warm_seconds / 60, linestyle=":", color="grey")
        axes.set_ylabel(name)
        axes.set_ylim(0, 1.15 * max(values))
    axes.set_xlabel("minutes; the dotted line is the end of the warm-up")
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main()
