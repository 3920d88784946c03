"""Whether a version that was just trained is good enough for the alias that its job asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.loaded import load_skill
from skills.errors import InputError, SkillRefusedError, UnknownSkillError
from skills.gates import Gates, failures
from skills.job import JobRequest
from skills.skill import SkillDraft, SkillRef, SkillVersion
from skills.traffic import CANDIDATE
from storage.catalog import Catalog
from training.compared_versions import compare_versions
from training.examiner import Examiner


class JobGate:
    """The gates of a job's request.

    Args:
        catalog: has the version that the alias names now.
        request: says the gates and the alias.
        held_out: rows that both versions are compared on; None: their stored metrics are compared.

    Raises:
        InputError: the request's gates are not valid.
    """

    def __init__(self, catalog: Catalog, request: JobRequest, held_out: Sequence[Any] | None) -> None:
        self._catalog = catalog
        self._request = request
        self._held_out = held_out
        self._gates = Gates.from_dict(request.gates)

    def failures(self, draft: SkillDraft, backbone: Backbone, compute: Compute) -> tuple[str, ...]:
        """Return why the alias may not name the draft, a sentence for each reason; nothing if it may."""
        alias = self._request.alias
        if alias is None:
            return ()
        reasons = failures(replace(self._gates, no_regression=False), draft.metrics, None, draft.kind)
        if self._gates.no_regression:
            reasons += self._regression(SkillRef(draft.name, alias), draft, backbone, compute)
        return reasons

    def alias(self, reasons: Sequence[str]) -> str | None:
        """Return the alias that shall name the version: `candidate`, if it failed for another one."""
        wanted = self._request.alias
        if not reasons:
            return wanted
        return None if wanted == CANDIDATE else CANDIDATE

    def _regression(
        self, ref: SkillRef, draft: SkillDraft, backbone: Backbone, compute: Compute
    ) -> tuple[str, ...]:
        try:
            in_place = self._catalog.get(ref)
        except UnknownSkillError:
            return ()  # nothing to fall behind
        gates = replace(self._gates, minimum={})
        if self._held_out is None:
            return failures(gates, draft.metrics, in_place.metrics, draft.kind)
        try:
            live = load_skill(in_place, self._catalog.tensors(in_place), backbone)
            own = load_skill(_numbered(draft), draft.tensors, backbone)
            compared = compare_versions(live, own, self._held_out, Examiner(backbone, compute, "torch"))
        except (InputError, SkillRefusedError) as error:
            return (f"it could not be compared with {in_place}: {error}",)
        return failures(gates, compared.second_metrics, compared.first_metrics, draft.kind)


def _numbered(draft: SkillDraft) -> SkillVersion:
    """Return a draft as a version that can be loaded; no catalog has it."""
    described = {each.name for each in fields(draft)} - {"tensors"}
    return SkillVersion(
        **{name: getattr(draft, name) for name in described},
        version=0,
        sha256="",
        bytes=len(draft.tensors),
        created_at=datetime.now(UTC),
    )
