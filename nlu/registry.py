"""Which skill versions are being served: one immutable snapshot, swapped whole when the catalog changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from nlu.exemplar_expert import ExemplarExpert
from nlu.loaded import LoadedSkill
from nlu.loader import Loader, Refused, with_expert
from nlu.residency import SKILL_MEMORY, Key, Residency, key_of
from nlu.sparse_log import SparseLog
from skills.errors import CatalogError, SkillRefusedError, UnknownSkillError
from skills.exemplar import Exemplar
from skills.skill import LIVE, SkillRef, SkillVersion
from skills.traffic import Traffic
from storage.catalog import Catalog

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # a change is served within 2 s, though under load its check waits for two full batches
PAUSE_SECONDS = 0.1  # after a refresh: a burst of changes is read once, and serving goes on meanwhile


@dataclass(frozen=True)
class Snapshot:
    """What is served at one moment: the aliased versions by (name, alias); by name, what goes with them."""

    revision: int = -1
    skills: Mapping[tuple[str, str], SkillVersion] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()
    exemplars: Mapping[str, tuple[Exemplar, ...]] = field(default_factory=dict)
    trials: Mapping[str, Traffic] = field(default_factory=dict)

    def live(self) -> list[SkillVersion]:
        """The live versions, ordered by name."""
        return [self.skills[key] for key in sorted(self.skills) if key[1] == LIVE]

    def find(self, name: str, alias: str) -> SkillVersion:
        """Return the version that an alias names.

        Raises:
            UnknownSkillError: no such skill or alias.
            SkillRefusedError: it exists but cannot be served.
        """
        version = self.skills.get((name, alias))
        if version is not None:
            return version
        for refused in self.refused:
            if refused.version.name == name and alias in refused.version.aliases:
                raise SkillRefusedError(refused.reason)
        names = sorted({each for each, _ in self.skills})
        served = f"{len(names)} are served, such as {', '.join(names[:5])}" if names else "none is served"
        raise UnknownSkillError(
            f"no skill {name}@{alias}: {served}; train or promote it, or ask ListSkills for the names",
            field="skills",
        )


class Registry:
    """Keeps the snapshot in step with the catalog, and the skills that are used in memory."""

    def __init__(self, catalog: Catalog, loader: Loader, *, skill_memory: int = SKILL_MEMORY) -> None:
        self._catalog = catalog
        self._loader = loader
        self._residency = Residency(self._load, skill_memory)
        self._experts: Mapping[Key, ExemplarExpert] = {}
        self._pinned: dict[SkillRef, SkillVersion] = {}
        self._explaining: dict[Key, asyncio.Future[LoadedSkill]] = {}
        self._changed = asyncio.Event()
        self._woken = asyncio.Event()
        self._closing = asyncio.Event()
        self._log = SparseLog(logger)
        self.snapshot = Snapshot()
        self.swaps = 0  # of the snapshot, since the start
        self.read_at = time.monotonic()  # when the catalog last told its revision

    @property
    def resident_bytes(self) -> int:
        """The memory that skills take."""
        return self._residency.bytes

    @property
    def loads(self) -> int:
        """How often a skill was asked that was not in memory."""
        return self._residency.loads

    def refresh(self) -> bool:
        """Load what changed in the catalog and swap the snapshot; blocking; True if it was swapped.

        Versions that stay are the same objects as before, so other skills' answers cannot change.

        Raises:
            CatalogError: the catalog cannot be read; the old snapshot stays.
        """
        revision = self._catalog.revision()
        self.read_at = time.monotonic()
        if revision == self.snapshot.revision:
            return False
        versions = self._catalog.aliased()
        refused = self._take_in(versions)
        unfit = {key_of(each.version) for each in refused}
        fit = [version for version in versions if key_of(version) not in unfit]
        skills = {(version.name, alias): version for version in fit for alias in version.aliases}
        skills |= self._still_served(refused)
        served = list({key_of(version): version for version in skills.values()}.values())
        exemplars = self._catalog.exemplars.all()
        self._experts = self._taught(served, exemplars)
        self.snapshot = Snapshot(
            revision,
            skills,
            refused,
            exemplars,
            self._catalog.trials.all(),
        )
        self._residency.keep(served)
        self._pinned = {}  # a deleted version must not outlive the change
        self.swaps += 1
        logger.info("serving revision %d: %d versions, %d refused", revision, len(served), len(refused))
        return True

    async def find(self, ref: SkillRef) -> SkillVersion:
        """Return the version that `ref` names.

        Raises:
            UnknownSkillError: no such skill, version or alias.
            SkillRefusedError: it exists but cannot be served.
        """
        if isinstance(ref.selector, str):
            return self.snapshot.find(ref.name, ref.selector)
        pinned = self._pinned
        if ref not in pinned:
            served = self.snapshot.skills.values()
            found = next((each for each in served if SkillRef(each.name, each.version) == ref), None)
            pinned[ref] = await asyncio.to_thread(self._catalog.get, ref) if found is None else found
        return pinned[ref]

    async def load(self, version: SkillVersion) -> LoadedSkill:
        """Return a version ready to answer, from memory or else from the catalog.

        Raises:
            SkillRefusedError, CatalogError: it cannot be loaded.
        """
        return await self._residency.get(version)

    async def load_explained(self, version: SkillVersion) -> LoadedSkill:
        """As `load`, with what answers of intents can resemble; the first time, that takes seconds."""
        skill = await self.load(version)
        if skill.intent is None or skill.neighbours is not None:
            return skill
        key = key_of(version)
        explaining = self._explaining.get(key)
        if explaining is None:
            explaining = asyncio.ensure_future(asyncio.to_thread(self._explained, skill))
            self._explaining[key] = explaining
            explaining.add_done_callback(lambda _: self._explaining.pop(key))
        return await asyncio.shield(explaining)

    async def poll(self, seconds: float = POLL_SECONDS) -> None:
        """Refresh until `close`, at once where the catalog tells of changes and otherwise every so often.

        A catalog that cannot be reached is logged, and serving goes on.
        """
        loop = asyncio.get_running_loop()
        stop_listening = self._catalog.listen(lambda: loop.call_soon_threadsafe(self._woken.set))
        try:
            while not self._closing.is_set():
                self._woken.clear()
                await self._look()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), min(seconds, PAUSE_SECONDS))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), max(seconds - PAUSE_SECONDS, 0))
        finally:
            await asyncio.to_thread(stop_listening)

    async def watch(self) -> AsyncIterator[Snapshot]:
        """Yield the snapshot now and after every swap, until `close`."""
        sent: Snapshot | None = None
        while not self._closing.is_set():
            if self.snapshot is sent:
                await self._changed.wait()
            else:
                sent = self.snapshot
                yield sent

    def close(self) -> None:
        """End the polling and all watches; what is served stays served."""
        self._closing.set()
        self._woken.set()
        self._changed.set()

    async def _look(self) -> None:
        try:
            if await asyncio.to_thread(self.refresh):
                self._changed.set()
                self._changed = asyncio.Event()
        except CatalogError as error:
            self._log.warning(
                "catalog", "catalog not read, serving revision %d: %s", self.snapshot.revision, error
            )

    def _take_in(self, versions: Iterable[SkillVersion]) -> tuple[Refused, ...]:
        """Load the versions that are not served yet, and return those that cannot be."""
        served = set(map(key_of, self.snapshot.skills.values()))
        refused = []
        for loaded in self._loader.check_all([each for each in versions if key_of(each) not in served]):
            if isinstance(loaded, Refused):
                refused.append(loaded)
            else:
                self._residency.put(loaded)
        return tuple(refused)

    def _still_served(self, refused: Iterable[Refused]) -> dict[tuple[str, str], SkillVersion]:
        """Return what aliases named before they named a version that cannot be served."""
        keys = {(each.version.name, alias) for each in refused for alias in each.version.aliases}
        return {key: version for key, version in self.snapshot.skills.items() if key in keys}

    def _taught(
        self, versions: Iterable[SkillVersion], exemplars: Mapping[str, tuple[Exemplar, ...]]
    ) -> dict[Key, ExemplarExpert]:
        """Let the versions in memory know their skills' exemplars, and return what they know."""
        experts = {}
        for version in versions:
            key, told = key_of(version), exemplars.get(version.name, ())
            known = self._experts.get(key)
            if not told and known is None:
                continue
            skill = self._residency.peek(version) or self._loader.read(version)
            expert = self._loader.expert(skill, told, known)
            if expert is not known:
                self._residency.put(with_expert(skill, expert))
            if expert is not None:
                experts[key] = expert
        return experts

    def _load(self, version: SkillVersion) -> LoadedSkill:
        """Bring a version back that was dropped, or one in that is asked by its number."""
        snapshot = self.snapshot
        if key_of(version) in map(key_of, snapshot.skills.values()):
            return with_expert(self._loader.read(version), self._experts.get(key_of(version)))
        skill = self._loader.check(version)
        return with_expert(skill, self._loader.expert(skill, snapshot.exemplars.get(version.name, ())))

    def _explained(self, skill: LoadedSkill) -> LoadedSkill:
        neighbours = self._loader.neighbours(skill)
        self._residency.change(skill.version, lambda resident: replace(resident, neighbours=neighbours))
        return replace(skill, neighbours=neighbours)
