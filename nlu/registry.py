"""Which skill versions are being served: one immutable snapshot, swapped whole when the catalog changes."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from nlu.backbone import Backbone
from nlu.loaded import LoadedSkill, load_skill
from skills.errors import CatalogError, SkillRefusedError, UnknownSkillError
from skills.skill import LIVE, SkillRef, SkillVersion
from storage.catalog import Catalog

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0  # a published version is served within two
PINNED_VERSIONS = 32  # versions that no alias names and that callers pinned, kept loaded


@dataclass(frozen=True)
class Refused:
    """A version that the catalog holds but that cannot be served."""

    version: SkillVersion
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """What is served at one moment: the aliased versions by (name, alias)."""

    revision: int = -1
    skills: Mapping[tuple[str, str], LoadedSkill] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()

    def live(self) -> list[LoadedSkill]:
        """The live versions, ordered by name."""
        return [self.skills[key] for key in sorted(self.skills) if key[1] == LIVE]


class Registry:
    """Keeps the snapshot in step with the catalog.

    `warm_up` runs a new version once before it is swapped in: what fails there is refused, not served.
    """

    def __init__(self, catalog: Catalog, backbone: Backbone, warm_up: Callable[[LoadedSkill], None]) -> None:
        self._catalog = catalog
        self._backbone = backbone
        self._warm_up = warm_up
        self._pinned: OrderedDict[tuple[str, int], LoadedSkill] = OrderedDict()
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self.snapshot = Snapshot()

    def refresh(self) -> bool:
        """Load what changed in the catalog and swap the snapshot; blocking; True if it was swapped.

        Versions that stay are the same objects as before, so other skills' answers cannot change.

        Raises:
            CatalogError: the catalog cannot be read; the old snapshot stays.
        """
        revision = self._catalog.revision()
        if revision == self.snapshot.revision:
            return False
        kept = {(skill.version.name, skill.version.version): skill for skill in self.snapshot.skills.values()}
        skills: dict[tuple[str, str], LoadedSkill] = {}
        refused: list[Refused] = []
        for version in self._catalog.aliased():
            try:
                skill = kept.get((version.name, version.version)) or self._load(version)
            except SkillRefusedError as error:
                refused.append(Refused(version, str(error)))
                logger.error("skill version refused: %s", error)
                continue
            skills |= {(version.name, alias): skill for alias in version.aliases}
        self.snapshot = Snapshot(revision, skills, tuple(refused))
        logger.info("serving revision %d: %d versions, %d refused", revision, len(skills), len(refused))
        return True

    async def resolve(self, ref: SkillRef) -> LoadedSkill:
        """Return the version that `ref` names, loading it first if it is pinned by number.

        Raises:
            UnknownSkillError: no such skill, version or alias.
            SkillRefusedError: it exists but cannot be served.
        """
        if isinstance(ref.selector, str):
            skill = self.snapshot.skills.get((ref.name, ref.selector))
            if skill is not None:
                return skill
            for refused in self.snapshot.refused:
                if refused.version.name == ref.name and ref.selector in refused.version.aliases:
                    raise SkillRefusedError(refused.reason)
            raise UnknownSkillError(self._unknown(ref), field="skills")
        pinned = self._pinned.get((ref.name, ref.selector))
        if pinned is None:
            pinned = await asyncio.to_thread(self._load_pinned, ref)
            self._pinned[ref.name, ref.selector] = pinned
            if len(self._pinned) > PINNED_VERSIONS:
                self._pinned.popitem(last=False)
        else:
            self._pinned.move_to_end((ref.name, ref.selector))
        return pinned

    async def poll(self, seconds: float = POLL_SECONDS) -> None:
        """Refresh until `close`; a catalog that cannot be reached is logged, and serving goes on."""
        while not self._closing.is_set():
            try:
                if await asyncio.to_thread(self.refresh):
                    self._pinned.clear()  # a deleted version must not outlive the change
                    self._changed.set()
                    self._changed = asyncio.Event()
            except CatalogError as error:
                logger.warning("catalog not read, serving revision %d: %s", self.snapshot.revision, error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)

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
        self._changed.set()

    def _load(self, version: SkillVersion) -> LoadedSkill:
        blob = self._catalog.tensors(version)
        backbone = self._backbone
        skill = load_skill(
            version,
            blob,
            fingerprint=backbone.fingerprint,
            shape=backbone.shape,
            decoder=backbone.decoder_shape,
        )
        self._warm_up(skill)
        return skill

    def _load_pinned(self, ref: SkillRef) -> LoadedSkill:
        for skill in self.snapshot.skills.values():
            if (skill.version.name, skill.version.version) == (ref.name, ref.selector):
                return skill
        return self._load(self._catalog.get(ref))

    def _unknown(self, ref: SkillRef) -> str:
        names = sorted({name for name, _ in self.snapshot.skills})
        served = f"{len(names)} are served, such as {', '.join(names[:5])}" if names else "none is served"
        return f"no skill {ref}: {served}; train or promote it, or ask ListSkills for the names"
