"""Which skill versions are in memory: those used last, within a budget of bytes."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from nlu.loaded import LoadedSkill
from skills.skill import SkillVersion

SKILL_MEMORY = 1 << 30  # bytes: some 3,000 skills of 77 intents

Key = tuple[str, int, str]


def key_of(version: SkillVersion) -> Key:
    """Return what no other version has: a skill that was purged may begin again with the same numbers."""
    return version.name, version.version, version.sha256


def array_bytes(value: Any) -> int:
    """Return the bytes of all arrays in a dataclass and in the dataclasses inside it."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(array_bytes(getattr(value, each.name)) for each in fields(value))
    return 0


class Residency:
    """Skills by version; what does not fit is dropped, least recently used first, and loaded again if asked.

    Safe to share between threads, but `get` belongs to one event loop. The last skill stays, however large.
    """

    def __init__(self, load: Callable[[SkillVersion], LoadedSkill], budget: int = SKILL_MEMORY) -> None:
        self._load = load
        self._budget = budget
        self._skills: OrderedDict[Key, LoadedSkill] = OrderedDict()
        self._loading: dict[Key, asyncio.Future[LoadedSkill]] = {}
        self._kept: frozenset[Key] = frozenset()
        self._lock = threading.RLock()
        self.bytes = 0
        self.loads = 0  # that a caller waited for

    async def get(self, version: SkillVersion) -> LoadedSkill:
        """Return a version, loading it in another thread if it is not here; concurrent callers load once.

        Raises:
            SkillRefusedError, CatalogError: it cannot be loaded.
        """
        key = key_of(version)
        with self._lock:
            if key in self._skills:
                self._skills.move_to_end(key)
                return self._skills[key]
        loading = self._loading.get(key)
        if loading is None:
            self.loads += 1
            loading = self._loading[key] = asyncio.ensure_future(asyncio.to_thread(self._fetch, version))
            loading.add_done_callback(lambda _: self._loading.pop(key))
        return await asyncio.shield(loading)

    def peek(self, version: SkillVersion) -> LoadedSkill | None:
        """Return a version if it is here; does not count as a use."""
        with self._lock:
            return self._skills.get(key_of(version))

    def put(self, skill: LoadedSkill) -> None:
        """Take a skill in, in place of the same version if it is here, as the one used last."""
        key = key_of(skill.version)
        with self._lock:
            self._drop(key)
            self._skills[key] = skill
            self.bytes += array_bytes(skill)
            while self.bytes > self._budget and len(self._skills) > 1:
                self._drop(next(iter(self._skills)))

    def change(self, version: SkillVersion, change: Callable[[LoadedSkill], LoadedSkill]) -> None:
        """Put what `change` makes of a version in its place, if it is here."""
        with self._lock:
            skill = self.peek(version)
            if skill is not None:
                self.put(change(skill))

    def keep(self, versions: Iterable[SkillVersion]) -> None:
        """Drop all versions but these; one of the others that is still being loaded does not stay either."""
        with self._lock:
            self._kept = frozenset(map(key_of, versions))
            for key in self._skills.keys() - self._kept:
                self._drop(key)

    def _fetch(self, version: SkillVersion) -> LoadedSkill:
        kept = self._kept
        skill = self._load(version)
        if kept is self._kept or key_of(version) in self._kept:
            self.put(skill)
        return skill

    def _drop(self, key: Key) -> None:
        if key in self._skills:
            self.bytes -= array_bytes(self._skills.pop(key))
