from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import numpy as np
import pytest

from nlu.loaded import LoadedSkill
from nlu.prompt import Prompt
from nlu.residency import Residency, array_bytes
from skills.errors import SkillRefusedError
from skills.skill import SkillVersion

MakeVersion = Callable[..., SkillVersion]
SKILL_BYTES = 400

pytestmark = pytest.mark.asyncio


def loaded(version: SkillVersion) -> LoadedSkill:
    return LoadedSkill(version, Prompt(soft=np.zeros((10, 10), np.float32)))


class Loads:
    """Counts what is loaded, and waits until its gate is open."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, version: SkillVersion) -> LoadedSkill:
        self.versions.append(version.version)
        assert self.gate.wait(30)
        return loaded(version)


def of_size(skills: int) -> tuple[Residency, Loads]:
    loads = Loads()
    return Residency(loads, skills * SKILL_BYTES), loads


async def test_what_is_used_last_stays(make_version: MakeVersion) -> None:
    residency, loads = of_size(2)
    one, two, three = (make_version(version=number) for number in (1, 2, 3))
    first = await residency.get(one)
    assert await residency.get(one) is first
    for version in (two, one, three, one, two):
        assert (await residency.get(version)).version is version
    assert loads.versions == [1, 2, 3, 2]
    assert residency.bytes == 2 * SKILL_BYTES


async def test_concurrent_first_uses_load_once(make_version: MakeVersion) -> None:
    residency, loads = of_size(2)
    loads.gate.clear()
    waiting = [asyncio.create_task(residency.get(make_version())) for _ in range(5)]
    waiting[0].cancel()
    await asyncio.sleep(0)
    loads.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert len(set(map(id, found))) == 1
    assert len(loads.versions) == 1


async def test_a_skill_larger_than_the_budget_is_served(make_version: MakeVersion) -> None:
    residency, loads = of_size(0)
    assert await residency.get(make_version()) is await residency.get(make_version())
    await residency.get(make_version(version=9))
    assert loads.versions == [3, 9]
    assert residency.bytes == SKILL_BYTES


async def test_what_is_put_again_replaces_and_counts_once(make_version: MakeVersion) -> None:
    residency, _ = of_size(5)
    again = loaded(make_version())
    residency.put(loaded(make_version()))
    residency.put(again)
    assert await residency.get(make_version()) is again
    assert residency.peek(make_version(sha256="0" * 64)) is None  # the same number after a purge
    assert residency.bytes == SKILL_BYTES


async def test_what_is_not_kept_is_dropped_even_if_it_arrives_later(make_version: MakeVersion) -> None:
    residency, loads = of_size(5)
    kept, dropped, late = (make_version(version=number) for number in (1, 2, 3))
    for version in (kept, dropped):
        await residency.get(version)
    loads.gate.clear()
    waiting = [asyncio.create_task(residency.get(version)) for version in (late, make_version(version=4))]
    while len(loads.versions) < 4:
        await asyncio.sleep(0.001)
    residency.keep([kept, make_version(version=4)])
    loads.gate.set()
    assert [skill.version.version for skill in await asyncio.gather(*waiting)] == [3, 4]
    assert residency.peek(kept) and residency.peek(make_version(version=4))
    assert residency.peek(dropped) is residency.peek(late) is None
    assert residency.bytes == 2 * SKILL_BYTES


async def test_a_failed_load_fails_its_callers_and_is_tried_again(make_version: MakeVersion) -> None:
    def refuse(version: SkillVersion) -> LoadedSkill:
        tries.append(version)
        raise SkillRefusedError("corrupt")

    tries: list[SkillVersion] = []
    residency = Residency(refuse)
    for _ in range(2):
        with pytest.raises(SkillRefusedError):
            await residency.get(make_version())
    assert len(tries) == 2


async def test_all_arrays_count(make_version: MakeVersion) -> None:
    prompt = Prompt(deep=np.zeros((1, 2, 3, 4), np.float16), soft=np.zeros((2, 4), np.float32))
    assert array_bytes(LoadedSkill(make_version(), prompt)) == 48 + 32
