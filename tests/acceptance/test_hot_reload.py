"""One server process under load, while another process changes a skill several times a second."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nlu.backbone import Backbone
from nlu.cache import default_cache
from nlu.client import AsyncClient, ParseRequest, ParseResult, UnknownSkillError
from skills.skill import SkillDraft
from storage.catalog import Catalog

MakeDraft = Callable[..., SkillDraft]

LOAD_SECONDS = float(os.environ.get("SOFTSPOKEN_RELOAD_SECONDS", "10"))
CALLERS = int(os.environ.get("SOFTSPOKEN_RELOAD_CALLERS", "16"))
SWAP_SECONDS = 2.0  # the promise: what is changed in the catalog is served so within
SECONDS = 120.0  # for a start on a busy machine
REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())
STEADY = ("steady-1", "steady-2", "steady-3")
TEXTS = ("pay my card", "where is the money that I sent yesterday", "hello")

SERVER = """
import asyncio, pathlib, sys
from nlu.server import serve
from nlu.server_settings import ServerSettings

settings = ServerSettings(
    sys.argv[1],
    address="127.0.0.1:0",
    threads=1,
    precision="float32",
    cache=pathlib.Path(sys.argv[2]),
    queue_seconds=60.0,  # callers who all wait for each other are no overload
)
asyncio.run(serve(settings, ready=lambda addresses: print(addresses[0], flush=True)))
"""

CHANGER = """
import itertools, json, sys, time
from skills.errors import UnknownSkillError
from skills.skill import SkillDraft, SkillRef
from storage.catalog import Catalog

catalog, seconds = Catalog.open(sys.argv[1]), float(sys.argv[2])
drafts = [SkillDraft.of(version, catalog.tensors(version)) for version in catalog.versions("changing")]
changes = [
    *(lambda draft=draft: catalog.publish(draft, alias="live") for draft in drafts),
    lambda: catalog.publish(drafts[0], alias="candidate"),
    lambda: catalog.promote(SkillRef("changing", "candidate")),
    lambda: catalog.rollback("changing"),
    lambda: catalog.promote(SkillRef("changing", 1)),
    lambda: catalog.delete("changing"),
    lambda: catalog.restore("changing"),
]

def live():
    try:
        return catalog.get(SkillRef("changing")).version
    except UnknownSkillError:
        return None

end = time.monotonic() + seconds
for change in itertools.cycle(changes):
    begin = time.monotonic()
    change()
    print(json.dumps([begin, time.monotonic(), live()]), flush=True)
    if begin > end and live() is not None:
        break
    time.sleep(0.15)
"""


@dataclass(frozen=True)
class Answered:
    """A version of the changing skill that answered, and when it was asked and did (monotonic seconds)."""

    version: int
    asked: float
    answered: float


@dataclass
class Load:
    """What all callers have got."""

    expected: dict[tuple[str, str], list[tuple[str, float]]]
    answers: int = 0
    unlike: list[tuple[str, str]] = field(default_factory=list)
    changing: list[Answered] = field(default_factory=list)
    absent: int = 0

    async def call(self, client: AsyncClient, text: str, until: float) -> None:
        while time.monotonic() < until:
            for name in STEADY:
                found = ranking(await client.parse(ParseRequest(text, skills=(name,))))
                if found != self.expected[name, text]:  # to the last bit
                    self.unlike.append((name, text))
                self.answers += 1
            await self._call_changing(client, text)

    async def _call_changing(self, client: AsyncClient, text: str) -> None:
        asked = time.monotonic()
        try:
            result = await client.parse(ParseRequest(text, skills=("changing",)))
        except UnknownSkillError:  # it is deleted now and then
            self.absent += 1
        else:
            self.changing.append(Answered(result.results[0].skill.version, asked, time.monotonic()))


def ranking(result: ParseResult) -> list[tuple[str, float]]:
    (only,) = result.results
    return [(intent.name, intent.confidence) for intent in only.ranking]


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, "-c", *command]
    with subprocess.Popen(arguments, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(SECONDS)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, f"the process ended with exit code {process.wait(SECONDS)}"
    return line


def was_live(answer: Answered, changes: Sequence[tuple[float, float, int | None]]) -> bool:
    """Whether the version was live at some time from when a server might not have known it better."""
    ends = [end for _, end, _ in changes[1:]] + [float("inf")]
    return any(
        version == answer.version and begin <= answer.answered and end >= answer.asked - SWAP_SECONDS
        for (begin, _, version), end in zip(changes, ends, strict=True)
    )


@pytest.mark.asyncio
async def test_changes_under_load_fail_no_request_and_touch_no_other_skill(
    tmp_path: Path, make_draft: MakeDraft
) -> None:
    url, backbone = f"sqlite:///{tmp_path / 'catalog.db'}", Backbone.load(cache=CACHE)
    catalog = Catalog.open(url)
    for seed, name in enumerate((*STEADY, "changing", "changing", "changing")):
        catalog.publish(make_draft(backbone, name, seed=seed), alias="live")
    changes: list[tuple[float, float, int | None]] = [(0.0, 0.0, 3)]

    with running(SERVER, url, str(CACHE)) as server:
        async with AsyncClient(line_of(server), timeout=SECONDS) as client:
            load = Load(
                {
                    (name, text): ranking(await client.parse(ParseRequest(text, skills=(name,))))
                    for name in STEADY
                    for text in TEXTS
                }
            )
            until = time.monotonic() + LOAD_SECONDS
            with running(CHANGER, url, str(LOAD_SECONDS)) as changer:
                async with asyncio.TaskGroup() as calls:
                    for caller in range(CALLERS):
                        calls.create_task(load.call(client, TEXTS[caller % len(TEXTS)], until))
                output = await asyncio.to_thread(lambda: changer.communicate(timeout=SECONDS)[0])
                changes += [tuple(json.loads(line)) for line in output.splitlines()]
                assert changer.returncode == 0
            await served(client, catalog)
    catalog.close()

    assert load.answers >= CALLERS and load.changing
    assert load.unlike == []
    assert len({answer.version for answer in load.changing}) > 3
    assert [answer for answer in load.changing if not was_live(answer, changes)] == []


async def served(client: AsyncClient, catalog: Catalog) -> None:
    """Wait until the server serves what the catalog holds at last."""
    async for skills in client.watch_skills():
        if skills.revision == catalog.revision():
            return
