"""From rows with slots to a skill draft: tune, calibrate, and learn the held-out rows where there are few.

A joint skill answers intents as well, from the same prompt and the same encoder row.
"""

from __future__ import annotations

import time
from typing import Any

import torch

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.engine import make_engine
from nlu.loaded import LoadedSkill, pack_skill
from nlu.stored_slots import slot_settings
from skills.errors import InputError
from skills.resolution import Resolver, SlotSchema
from skills.skill import Calibration, Method, SkillDraft, SkillKind
from skills.slot_dataset import SlotDataset
from training.checkpoint import Checkpoint
from training.config import JointConfig, SlotConfig
from training.provenance import provenance
from training.slot_evaluation import SlotEvaluation, SlotReader, judge_slots
from training.slot_training import SlotTraining
from training.trained import OnProgress, Trained
from training.warm_start import check_parent, grown


def train_slots(
    name: str,
    dataset: SlotDataset,
    backbone: Backbone,
    config: SlotConfig,
    schema: SlotSchema,
    compute: Compute,
    *,
    grown_from: LoadedSkill | None = None,
    refit: bool | None = None,
    on_progress: OnProgress = lambda run, progress: None,
    checkpoint: Checkpoint | None = None,
) -> Trained[SlotEvaluation]:
    """Train a skill of slots, or with a `JointConfig` one of intents and slots.

    Args:
        name: of the skill.
        dataset: rows to train on and held-out rows; the latter choose the best state and calibrate it.
        backbone: whose prompt is tuned.
        config: hyper-parameters.
        schema: what values resolve to.
        compute: the precision of the frozen weights in training.
        grown_from: version to grow from, in fewer steps: its prompt, and its heads' parts of the labels here.
        refit: train once more on all rows, held-out ones included; None: as `config.refit_rows` says.
        on_progress: called after every step.
        checkpoint: where to go on after an interruption.

    Raises:
        InputError: there are no held-out rows, or for a joint skill none in scope, or the skill cannot grow
            from that version.
    """
    _check_held_out(dataset, config)
    kind = SkillKind.JOINT if isinstance(config, JointConfig) else SkillKind.SLOTS
    if grown_from is not None:
        check_parent(grown_from, kind, backbone, dataset.intents or tuple(map(str, dataset.labels)))
    began = time.monotonic()
    torch.manual_seed(config.seed)
    training = SlotTraining(
        dataset,
        backbone,
        config,
        Resolver(schema),
        compute,
        grown_from=grown_from,
        on_progress=on_progress,
        checkpoint=checkpoint,
    )
    reader = training.tune(dataset.train, dataset.dev)
    engine = make_engine(backbone, compute, "torch")
    reader = training.calibrated(reader, engine)
    held_out = judge_slots(reader, dataset.dev, backbone, engine)
    refitted = len(dataset.train) < config.refit_rows if refit is None else refit
    if refitted:
        reader = training.again(reader)
    made = provenance((*dataset.train, *dataset.dev), config, time.monotonic() - began)
    draft = SkillDraft(
        name=name,
        kind=kind,
        method=Method.DEEP_PROMPT,
        labels=dataset.intents or tuple(map(str, dataset.labels)),
        backbone=backbone.fingerprint_for(reader.prompt),
        head=_settings(reader, schema),
        calibration=Calibration() if reader.intent is None else reader.intent.calibration,
        metrics=held_out.as_flat_dict(),
        provenance=made if grown_from is None else grown(made, grown_from),
        tensors=pack_skill(reader.prompt, reader.intent, slots=reader.slots),
    )
    return Trained(draft, held_out, refitted)


def _settings(reader: SlotReader, schema: SlotSchema) -> dict[str, Any]:
    slots = {"slots": slot_settings(reader.slots, schema)}
    if reader.intent is None:
        return slots
    return {"scale": reader.intent.scale, "lexical_weight": reader.intent.lexical_weight, **slots}


def _check_held_out(dataset: SlotDataset, config: SlotConfig) -> None:
    if not isinstance(config, JointConfig) and not dataset.dev:
        raise InputError(
            "no row is held out, but calibration needs some: give more rows, or a dev file", field="dev"
        )
    if isinstance(config, JointConfig) and not any(row.intent in dataset.intents for row in dataset.dev):
        raise InputError(
            "no held-out row has an intent, but calibration needs some: give every intent at least 2 rows, "
            "or a dev file",
            field="dev",
        )
