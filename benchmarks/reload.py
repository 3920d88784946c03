"""Hot reload under load: what callers notice while another process changes a skill all the time.

One server on SQLite and `--callers` at once. Every 0.2 s one skill is published, moved back to an older
version, rolled back, deleted or restored, while the callers ask it and three others that stay as they are.
Then two servers on one PostgreSQL: from the beginning of a promotion until both have answered by it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.callers import CHANGING, STEADY, Answered, Load, ask
from benchmarks.catalogs import databases, fill
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.client import AsyncClient
from nlu.compute import Compute
from nlu.engine import choose_for_serving
from skills.formats import read_intents
from skills.skill import LIVE, SkillDraft, SkillRef
from storage.catalog import Catalog

PAUSE_SECONDS = 0.17  # between changes: five take no whole second, so that polls meet each of them
SERVED_SECONDS = 2.0  # the promise: a change is served within
CALM_SHARE = 0.2  # of the time, before anything changes
TEXTS = 50
TIMEOUT = 60.0  # s, for an answer on a busy machine

Row = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """Which version a change made live (None: the skill is deleted), and when (monotonic seconds)."""

    began: float
    ended: float
    live: int | None


def main() -> None:
    """Measure one server under load, then the convergence of two."""
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--callers", type=int, default=50)
    parser.add_argument("--promotions", type=int, default=50, help="with two servers")
    options = parser.parse_args()
    compute = choose_for_serving("auto", "auto", options.threads, "auto")
    rows = [
        *_measured(options, compute, _under_load),
        *_measured(options, compute, _converging, postgres=True),
    ]
    show("Hot reload", rows, where=machine(compute), target=options.json)


def _measured(
    options: argparse.Namespace, compute: Compute, measure: Callable[..., Any], *, postgres: bool = False
) -> list[Row]:
    """Run a measurement on a catalog of its own, with another process to change it from."""
    train = read_intents(options.data / "banking77/train_10shot.jsonl").utterances
    with (
        databases(postgres=postgres) as make_database,
        ProcessPoolExecutor(1, get_context("spawn")) as elsewhere,
    ):
        url = make_database("reload")
        fill(url, Backbone.load(), train, 1 + len(STEADY))
        found: list[Row] = asyncio.run(measure(options, compute, url, elsewhere))
        return found


async def _under_load(
    options: argparse.Namespace, compute: Compute, url: str, elsewhere: Executor
) -> list[Row]:
    test = read_intents(options.data / "banking77/test.jsonl").utterances
    texts = [row.text for row in test[:TEXTS]]
    with running(url, compute, "--queue-seconds", str(TIMEOUT)) as server:
        async with AsyncClient(server.address, timeout=TIMEOUT) as client:
            pairs = list(itertools.product(STEADY, texts))
            load = Load({(name, text): await ask(client, text, name) for name, text in pairs})
            await load.run(client, texts, options.callers, CALM_SHARE * options.seconds)
            calm, load = load, Load(load.expected)
            warm = server.memory()
            await asyncio.wrap_future(elsewhere.submit(change, url, 0))  # the process takes a while to start
            changing = asyncio.wrap_future(elsewhere.submit(change, url, options.seconds))
            await load.run(client, texts, options.callers, options.seconds / 2)
            half = server.memory()
            await load.run(client, texts, options.callers, options.seconds / 2)
            end = server.memory()
            changes = await changing
    return [
        *_answers(load, changes, options.seconds),
        _result("the same, before anything changed", calm.unlike, f"{len(calm.seconds)} calls"),
        _result(
            "memory at the end, less that at half time, MB",
            (end - half) / 1e6,
            f"{end / 1e6:.0f} MB; half time less before the changes {(half - warm) / 1e6:.0f} MB",
        ),
    ]


def change(url: str, seconds: float) -> list[Change]:
    """Change one skill for so long, and return what was live from when on."""
    catalog = Catalog.open(url)
    versions = catalog.versions(CHANGING)
    drafts = itertools.cycle([SkillDraft.of(each, catalog.tensors(each)) for each in versions])
    steps: tuple[Callable[[], int | None], ...] = (
        lambda: catalog.publish(next(drafts), alias=LIVE).version,
        lambda: catalog.promote(SkillRef(CHANGING, 1)).version,
        lambda: catalog.rollback(CHANGING).version,
        lambda: catalog.delete(CHANGING),
        lambda: next(each.version for each in catalog.restore(CHANGING) if LIVE in each.aliases),
    )
    changes = [Change(0.0, 0.0, catalog.get(SkillRef(CHANGING)).version)]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for step in steps:
            began = time.monotonic()
            live = step()
            changes.append(Change(began, time.monotonic(), live))
            time.sleep(PAUSE_SECONDS)
    catalog.close()
    return changes


def _answers(load: Load, changes: Sequence[Change], seconds: float) -> list[Row]:
    p50, p99 = 1e3 * np.percentile(load.seconds, [50, 99])
    ages = [_age(answer, changes) for answer in load.changing]
    named = {answer.live for answer in load.changing}
    calls = len(load.seconds) + len(load.failed)
    return [
        _result("failed requests", len(load.failed), f"of {calls}: {', '.join(map(str, load.failed[:3]))}"),
        _result("answers by a version that never was live", ages.count(np.inf), f"of {len(ages)} answers"),
        _result(
            f"answers by a version not live in the last {SERVED_SECONDS:g} s",
            sum(age > SERVED_SECONDS for age in ages),
            f"oldest {max(ages):.2f} s; {len(named)} versions answered, {len(changes) - 1} changes",
        ),
        _result("answers of other skills not bit-identical", load.unlike, f"{len(STEADY)} skills"),
        _result("calls a second", len(load.seconds) / seconds, f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"),
    ]


def _age(answer: Answered, changes: Sequence[Change]) -> float:
    """Return for how long the version that answered had not been live when it was asked; inf: never was."""
    ends = [each.ended for each in changes[1:]] + [np.inf]
    return min(
        (
            max(0.0, answer.asked - end)
            for each, end in zip(changes, ends, strict=True)
            if each.live == answer.live and each.began <= answer.answered
        ),
        default=np.inf,
    )


async def _converging(
    options: argparse.Namespace, compute: Compute, url: str, elsewhere: Executor
) -> list[Row]:
    generator = np.random.default_rng(20)
    with running(url, compute) as one, running(url, compute) as other:
        async with AsyncClient(one.address, timeout=TIMEOUT) as first:
            async with AsyncClient(other.address, timeout=TIMEOUT) as second:
                seconds = []
                for version in itertools.islice(itertools.cycle((1, 2)), options.promotions):
                    await asyncio.sleep(generator.uniform(0, 1))
                    began = asyncio.wrap_future(elsewhere.submit(promote, url, version))
                    await asyncio.gather(*(_until_served(each, version) for each in (first, second)))
                    seconds.append(time.monotonic() - await began)
    p50, p99 = np.percentile(seconds, [50, 99])
    return [
        _result(
            "two servers on one PostgreSQL converge, p99, s", p99, f"p50 {p50:.3f} s, {len(seconds)} times"
        )
    ]


def promote(url: str, version: int) -> float:
    """Let a version be live and return when that began, by the clock of all processes."""
    catalog = Catalog.open(url)
    began = time.monotonic()
    catalog.promote(SkillRef(CHANGING, version))
    catalog.close()
    return began


async def _until_served(client: AsyncClient, version: int) -> None:
    while (await ask(client, "is it ready?", CHANGING)).results[0].skill.version != version:
        await asyncio.sleep(0.005)


def _result(what: str, value: float, detail: str) -> Row:
    return {"measurement": what, "value": value, "detail": detail}


if __name__ == "__main__":
    main()
