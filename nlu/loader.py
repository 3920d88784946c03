"""From what the catalog stores to skills that can answer: read, checked, and told of their exemplars."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from nlu.backbone import Backbone
from nlu.batcher import Batcher
from nlu.corrector import Correction, CorrectionRow
from nlu.exemplar_expert import ExemplarExpert
from nlu.half import Floats
from nlu.head import pooled
from nlu.loaded import LoadedSkill, load_skill
from nlu.neighbours import Neighbours
from nlu.prompt import Row
from nlu.tokens import tokenise
from nlu.warm_up import Encoded, WarmUp
from skills.errors import BackboneError, SkillRefusedError
from skills.exemplar import Exemplar
from skills.skill import SkillVersion
from skills.training_data import TrainingData
from storage.catalog import Catalog

BATCH = 32  # skills, or texts, that go through the engine together: efficient, and soon over for callers
EXPLAINED = 8  # of them where there are many, and someone who asks about them can wait

logger = logging.getLogger(__name__)


class Prepare(Protocol):
    """Makes an engine ready for skills with or without the adapter."""

    def __call__(self, *, adapted: bool) -> None: ...


@dataclass(frozen=True)
class Refused:
    """A version that the catalog holds but that cannot be served."""

    version: SkillVersion
    reason: str


class Loader:
    """Loads versions of one catalog for one backbone. Blocking; batchers and engine belong to others.

    `prepare` is that of the engine behind `encoder`.
    """

    def __init__(
        self,
        catalog: Catalog,
        backbone: Backbone,
        encoder: Batcher[Row, Floats],
        corrector: Batcher[CorrectionRow, Correction],
        prepare: Prepare,
    ) -> None:
        self._catalog = catalog
        self._backbone = backbone
        self._prepare = prepare
        self._encoder = encoder
        self._warm_up = WarmUp(backbone, encoder, corrector)

    def read(self, version: SkillVersion) -> LoadedSkill:
        """Return a version whose bytes are sound.

        Raises:
            SkillRefusedError: they are not, or it belongs to another backbone.
            CatalogError: the catalog cannot be read.
        """
        skill = load_skill(version, self._catalog.tensors(version), self._backbone)
        try:
            self._prepare(adapted=skill.prompt.adapted)
        except BackboneError as error:
            raise SkillRefusedError(f"{version} cannot be served here: {error}") from error
        return skill

    def check(self, version: SkillVersion) -> LoadedSkill:
        """Return a version that has answered; the rest as `read`."""
        [loaded] = self.check_all([version])
        if isinstance(loaded, Refused):
            raise SkillRefusedError(loaded.reason)
        return loaded

    def check_all(self, versions: Sequence[SkillVersion]) -> Iterator[LoadedSkill | Refused]:
        """Yield versions that have answered, and those that cannot be served; many together are cheaper.

        Raises:
            CatalogError: the catalog cannot be read.
        """
        before: list[LoadedSkill] = []
        begun: list[Encoded] = []
        for start in range(0, len(versions), BATCH):
            read = list(map(self._read, versions[start : start + BATCH]))  # while the engine has those before
            yield from self._answered(before, begun)
            yield from (each for each in read if isinstance(each, Refused))
            before = [each for each in read if isinstance(each, LoadedSkill)]
            begun = self._warm_up.begin(before)
        yield from self._answered(before, begun)

    def expert(
        self, skill: LoadedSkill, exemplars: Iterable[Exemplar], known: ExemplarExpert | None = None
    ) -> ExemplarExpert | None:
        """Return what a skill's exemplars tell of its intents; `known` is what they have told before."""
        if skill.intent is None:
            return None
        return ExemplarExpert.of(
            tuple(exemplars), skill.intent.labels, lambda texts: self._features(skill, texts), known
        )

    def neighbours(self, skill: LoadedSkill) -> Neighbours:
        """Return what answers of a skill of intents can resemble: rows of the job that published the version.

        Raises:
            CatalogError: the catalog cannot be read.
        """
        stored = self._catalog.dataset(skill.version)
        data = None if stored is None else TrainingData.from_bytes(stored)
        return Neighbours.of(data, lambda texts: self._features(skill, texts, batch=EXPLAINED))

    def _answered(
        self, skills: Sequence[LoadedSkill], begun: Sequence[Encoded]
    ) -> Iterator[LoadedSkill | Refused]:
        for skill, error in zip(skills, self._warm_up.end(skills, begun), strict=True):
            yield skill if error is None else _refused(skill.version, error)

    def _features(self, skill: LoadedSkill, texts: Sequence[str], batch: int = BATCH) -> Floats:
        features = []
        for start in range(0, len(texts), batch):
            part = texts[start : start + batch]
            rows = [Row(tokenise(self._backbone, text).ids, skill.prompt) for text in part]
            futures = self._encoder.submit(rows, bounded=False)
            features += [pooled(future.result().output) for future in futures]
        return np.stack(features)

    def _read(self, version: SkillVersion) -> LoadedSkill | Refused:
        try:
            return self.read(version)
        except SkillRefusedError as error:
            return _refused(version, error)


def with_expert(skill: LoadedSkill, expert: ExemplarExpert | None) -> LoadedSkill:
    """Return the skill with these exemplars instead of those that it has."""
    if skill.intent is None or skill.intent.exemplars is expert:
        return skill
    return replace(skill, intent=replace(skill.intent, exemplars=expert))


def _refused(version: SkillVersion, error: SkillRefusedError) -> Refused:
    logger.error("skill version refused: %s", error)
    return Refused(version, str(error))
