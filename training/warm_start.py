"""Growing a skill: a training that begins with what a stored version of the skill has learned.

Labels that the version has keep their part of the head; those that are new begin as in any training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from nlu.backbone import Backbone
from nlu.half import widened
from nlu.head import IntentHead
from nlu.loaded import LoadedSkill
from nlu.slot_head import SlotHead
from skills.errors import InputError
from skills.skill import Provenance, SkillKind
from skills.slot import SlotLabel
from training.config import TrainingConfig
from training.correction_model import TrainedVectors
from training.loop import planned_steps
from training.models import DeepPrompted
from training.objective import IntentObjective
from training.slot_objective import SlotObjective

RATES = ("prompt_rate", "head_rate", "context_rate")

Config = TypeVar("Config", bound=TrainingConfig)


def check_parent(
    parent: LoadedSkill, kind: SkillKind, backbone: Backbone, labels: Sequence[str] = ()
) -> None:
    """Check that a skill of this kind, with these labels, can grow from the version.

    Raises:
        InputError: it is of another kind or backbone, or has none of the labels.
    """
    version = parent.version
    if version.kind is not kind:
        raise InputError(
            f"{version} is of kind {version.kind}: a skill of kind {kind} cannot grow from it", field="from"
        )
    if version.backbone != backbone.fingerprint_for(parent.prompt):
        raise InputError(
            f"{version} was trained on backbone {version.backbone[:12]}, but {backbone.fingerprint[:12]} is "
            "loaded: train from the beginning",
            field="from",
        )
    if labels and not set(labels) & set(version.labels):
        raise InputError(
            f"{version} has none of the {len(labels)} labels of the data: train from the beginning",
            field="from",
        )


def warmed(config: Config, rows: int) -> Config:
    """Return the settings of a run that grows a skill, on this many rows: fewer steps, lower rates."""
    steps = round(config.warm_share * planned_steps(rows, config))
    rates = {name: config.warm_rate * getattr(config, name) for name in RATES if hasattr(config, name)}
    return config.model_copy(update={"min_steps": steps, "max_steps": steps, **rates})


def grown(provenance: Provenance, parent: LoadedSkill) -> Provenance:
    """Return a provenance that names the version that the skill has grown from."""
    return replace(provenance, config={**provenance.config, "grown_from": str(parent.version)})


@torch.no_grad()
def keep_prototypes(objective: IntentObjective, parent: IntentHead, labels: Sequence[str]) -> None:
    """Begin with the parent's prototypes of the labels that it has."""
    [prototypes] = objective.parameters()
    for place, label in enumerate(labels):
        if label in parent.labels:
            prototypes[place] = torch.from_numpy(parent.unit_prototypes[parent.labels.index(label)])


@torch.no_grad()
def keep_tagger(objective: SlotObjective, parent: SlotHead, labels: Sequence[SlotLabel]) -> None:
    """Begin with the parent's weights of the tags of labels that it has, and of words outside slots."""
    theirs = {label: place for place, label in enumerate(parent.labels)}
    kept = [(place, theirs[label]) for place, label in enumerate(labels) if label in theirs]
    ours = [0, *(2 * place + part for place, _ in kept for part in (1, 2))]  # in the order of `nlu.bio`
    from_tags = [0, *(2 * place + part for _, place in kept for part in (1, 2))]
    weights, neighbours, bias = objective.parameters()
    weights[ours] = torch.from_numpy(widened(parent.weights[from_tags]))
    bias[ours] = torch.from_numpy(parent.bias[from_tags])
    if parent.neighbours is not None:
        neighbours[:, ours] = torch.from_numpy(widened(parent.neighbours[:, from_tags]))


@torch.no_grad()
def keep_expected(encoder: DeepPrompted, parent: SlotHead, names: Sequence[str]) -> None:
    """Begin with the parent's vectors of expected slots, of those that it has."""
    for vectors in encoder.context_parameters():
        for place, name in enumerate(names):
            if parent.expected is not None and name in parent.expected_names:
                kept = parent.expected[parent.expected_names.index(name)]
                vectors[place] = torch.from_numpy(kept)


def grammar_vectors(parent: LoadedSkill) -> TrainedVectors | None:
    """Return all that makes a grammar skill; None if it is of another kind."""
    head, encoder = parent.grammar, parent.prompt.deep
    if head is None or encoder is None:
        return None
    bias = np.array([head.detector_bias], np.float32)
    return TrainedVectors(widened(encoder), head.prompt.own, head.prompt.memory, head.detector, bias)
