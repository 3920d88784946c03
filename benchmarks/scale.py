"""What a catalog of 1 to 1,000 skills costs: start, memory, latency, listing, and news of a publication.

Each size has its own catalog, 5 versions a skill, and its own server process. All servers run at once and are
asked in turn, so that what else the machine does meets all alike: compare latencies with that of the first
size, and read times as upper bounds.

- start: from the start of `softspoken serve` until it answers; and the processor time that took.
- memory: resident after the calls, above that of the first size.
- p50, p99: of `Parse`, one caller, a random skill each time.
- list: `softspoken skills list` as a process; its processor time, less that of a Python that does nothing;
  and less that of a list of no skills.
- poll: one look at the catalog's revision.
- served: from the beginning of a publication in another process to the first answer by the new version.
- first use: of a skill that is not in memory; and of the same skill again.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.catalogs import databases, fill, skill_name
from benchmarks.server_process import ServerProcess, running
from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.client import Client, ParseRequest
from nlu.compute import Compute
from nlu.engine import choose_for_serving
from skills.formats import read_intents
from skills.skill import LIVE, SkillDraft, SkillRef
from storage.catalog import Catalog

WARM_CALLS = 50  # of each server, before its calls count
LISTS = 5
POLLS = 300
FIRST_USES = 60
TIMEOUT = 60.0  # s, for an answer on a busy machine

Row = dict[str, Any]


def main() -> None:
    """Measure every size, and show one row of each."""
    parser = arguments(__doc__)
    parser.add_argument("--skills", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--postgres", action="store_true", help="catalogs in a PostgreSQL of our own")
    parser.add_argument("--calls", type=int, default=400, help="of each server")
    parser.add_argument("--publications", type=int, default=20, help="in each catalog")
    options = parser.parse_args()
    compute = choose_for_serving("auto", "auto", options.threads, "auto")
    texts = [row.text for row in read_intents(options.data / "banking77/test.jsonl").utterances]
    with databases(postgres=options.postgres) as make_database:
        empty = make_database("empty")
        urls = _filled(options, make_database)
        rows = _measured(options, compute, urls, texts)
        for row, url in zip(rows, urls.values(), strict=True):
            row |= listing(url, empty) | polling(url)
    where = "PostgreSQL" if options.postgres else "SQLite"
    show(f"Scale, {where}", rows, where=machine(compute), target=options.json)


def _filled(options: argparse.Namespace, make_database: Callable[[str], str]) -> dict[int, str]:
    backbone = Backbone.load()
    rows = read_intents(options.data / "banking77/train_10shot.jsonl").utterances
    urls = {}
    for skills in options.skills:
        urls[skills] = make_database(f"catalog_{skills}")
        fill(urls[skills], backbone, rows, skills)
    return urls


def _measured(
    options: argparse.Namespace, compute: Compute, urls: Mapping[int, str], texts: Sequence[str]
) -> list[Row]:
    rows: dict[int, Row] = {skills: {"skills": skills} for skills in urls}
    with ExitStack() as stack:
        servers = {}
        for skills, url in urls.items():
            servers[skills] = server = stack.enter_context(running(url, compute))
            rows[skills] |= {"start, s": server.start_seconds, "start, CPU s": server.processor_seconds()}
        latencies = mixed_traffic(servers, texts, options.calls)
        memory = {skills: server.memory() for skills, server in servers.items()}
        first = options.skills[0]
        for skills, seconds in latencies.items():
            p50, p99 = 1e3 * np.percentile(seconds, [50, 99])
            rows[skills] |= {"memory, MB": (memory[skills] - memory[first]) / 1e6}
            rows[skills] |= {"p50, ms": p50, "p99, ms": p99}
            rows[skills] |= {"p50, ratio": p50 / 1e3 / float(np.median(latencies[first]))}
        for skills, url in urls.items():
            rows[skills] |= publication(url, servers[skills], options.publications)
    for skills, url in urls.items():
        rows[skills] |= first_use(url, skills, texts, compute)
    return list(rows.values())


def mixed_traffic(
    servers: Mapping[int, ServerProcess], texts: Sequence[str], calls: int
) -> dict[int, list[float]]:
    """Return the seconds of calls to each server, whose order changes from round to round."""
    generator = np.random.default_rng(17)
    seconds: dict[int, list[float]] = {skills: [] for skills in servers}
    with ExitStack() as stack:
        clients = {skills: stack.enter_context(_client(server)) for skills, server in servers.items()}
        for number in range(WARM_CALLS + calls):
            for skills in generator.permutation(list(clients)):
                name = skill_name(generator.integers(skills))
                seconds[skills].append(_answer_seconds(clients[skills], texts[number % len(texts)], name))
    return {skills: each[WARM_CALLS:] for skills, each in seconds.items()}


def listing(url: str, empty: str) -> Row:
    """Time `softspoken skills list`, and what would be there without skills, and without a program."""
    program = [sys.executable, "-m", "training.cli", "skills", "list", "--catalog"]
    commands = ([*program, url], [*program, empty], [sys.executable, "-c", "pass"])
    seconds = [[_process_seconds(each) for each in commands] for _ in range(LISTS)]
    (wall, listed), (_, nothing), (_, python) = np.median(seconds, axis=0)
    return {"list, s": wall, "list, CPU s": listed - python, "of rows, CPU s": listed - nothing}


def _process_seconds(command: Sequence[str]) -> tuple[float, float]:
    """Return the time by the clock, and that of the processor."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, used


def polling(url: str) -> Row:
    """Time what a server does every second when nothing has changed."""
    catalog = Catalog.open(url)
    catalog.revision()  # connects
    seconds = [_seconds(catalog.revision) for _ in range(POLLS)]
    catalog.close()
    return {"poll p50, ms": 1e3 * float(np.median(seconds))}


def publication(url: str, server: ServerProcess, count: int) -> Row:
    """Publish from another process, at any time between two polls, until the new version answers."""
    generator = np.random.default_rng(18)
    catalog = Catalog.open(url)
    newest = catalog.get(SkillRef(skill_name(0)))
    draft = SkillDraft.of(newest, catalog.tensors(newest))
    catalog.close()
    seconds = []
    with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere, _client(server) as client:
        for version in range(newest.version + 1, newest.version + 1 + count):
            time.sleep(generator.uniform(0, 1))
            began = elsewhere.submit(publish, url, draft)
            while _version(client, newest.name) < version:
                time.sleep(0.005)
            seconds.append(time.monotonic() - began.result())
    p50, p99 = np.percentile(seconds, [50, 99])
    return {"served p50, s": float(p50), "served p99, s": float(p99)}


def publish(url: str, draft: SkillDraft) -> float:
    """Publish a draft as the live version and return when that began, by the clock of all processes."""
    catalog = Catalog.open(url)
    began = time.monotonic()
    catalog.publish(draft, alias=LIVE)
    catalog.close()
    return began


def first_use(url: str, skills: int, texts: Sequence[str], compute: Compute) -> Row:
    """Ask skills of a server that has room for one; the last one asked is the one in memory."""
    if skills == 1:
        return {"first use p50, ms": "", "first use p99, ms": "", "again p50, ms": ""}
    with running(url, compute, "--skill-memory", "0") as server, _client(server) as client:
        pairs = zip(_each_but_the_last(skills), itertools.cycle(texts), strict=False)
        seconds = [
            [_answer_seconds(client, text, name) for _ in ("first", "again")]
            for name, text in itertools.islice(pairs, WARM_CALLS + FIRST_USES)
        ]
    first, again = 1e3 * np.array(seconds[WARM_CALLS:]).T
    p50, p99 = np.percentile(first, [50, 99])
    return {"first use p50, ms": p50, "first use p99, ms": p99, "again p50, ms": float(np.median(again))}


def _each_but_the_last(skills: int) -> Iterator[str]:
    """Yield random names for ever, none twice in a row."""
    generator = np.random.default_rng(19)
    number = 0
    while True:
        number = (number + int(generator.integers(1, skills))) % skills
        yield skill_name(number)


def _client(server: ServerProcess) -> Client:
    return Client(server.address, timeout=TIMEOUT)


def _version(client: Client, name: str) -> int:
    return client.parse(ParseRequest("is it ready?", skills=(name,))).results[0].skill.version


def _answer_seconds(client: Client, text: str, name: str) -> float:
    return _seconds(lambda: client.parse(ParseRequest(text, skills=(name,))))


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
