"""From sentences and their corrections to a grammar skill: tune, set the gate, measure."""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.corrector import Corrector
from nlu.engine.torch_decoder import TorchDecoder
from nlu.engine.torch_engine import TorchEngine
from nlu.loaded import LoadedSkill, pack_skill
from nlu.prompt import Prompt
from nlu.stored_grammar import grammar_settings
from skills.correction_dataset import CorrectionDataset
from skills.errors import InputError
from skills.skill import Calibration, Method, Provenance, SkillDraft, SkillKind
from training.checkpoint import Checkpoint
from training.config import CorrectionConfig
from training.correction_evaluation import CorrectionEvaluation, judge_corrections
from training.correction_gate import gated
from training.correction_loop import tune_corrections
from training.correction_model import CorrectionModel
from training.correction_pairs import Pair, make_pairs
from training.provenance import code_version
from training.start import grammar_start
from training.trained import OnProgress, Trained
from training.warm_start import check_parent, grammar_vectors, grown, warmed

SAMPLE_ROWS = 16  # that an untrained prompt's vectors are taken from


def train_corrections(
    name: str,
    dataset: CorrectionDataset,
    backbone: Backbone,
    config: CorrectionConfig,
    compute: Compute,
    *,
    grown_from: LoadedSkill | None = None,
    on_progress: OnProgress = lambda run, progress: None,
    checkpoint: Checkpoint | None = None,
) -> Trained[CorrectionEvaluation]:
    """Train a grammar skill.

    Every corrected sentence is a clean row as well, so that the skill learns what to leave alone. After an
    interruption, `checkpoint` says where to go on. With `grown_from`, the skill begins with the prompts and
    the detector of that version, and takes fewer steps.

    Raises:
        InputError: there are no held-out sentences, none of the training sentences has an error, or the skill
            cannot grow from that version.
    """
    if grown_from is not None:
        check_parent(grown_from, SkillKind.GRAMMAR, backbone)
    began = time.monotonic()
    torch.manual_seed(config.seed)
    generator = np.random.default_rng(config.seed)
    train = make_pairs(backbone, dataset.train, generator, clean_share=config.clean_share)
    dev = make_pairs(backbone, dataset.dev, generator, clean_share=1.0)
    _check(train, dev)
    model = CorrectionModel(
        backbone,
        train[:SAMPLE_ROWS],
        prompt_length=config.prompt_length if grown_from is None else grown_from.prompt.length,
        seed=config.seed,
        dtype=compute.dtype,
    )
    start = None if grown_from is None else grammar_vectors(grown_from)
    if start is None and config.start == "packaged":
        start = grammar_start(backbone, config.prompt_length)
    if start is not None:
        model.reset(start)
    best = tune_corrections(
        model,
        train,
        dev,
        config if grown_from is None else warmed(config, len(train)),
        generator,
        on_progress=partial(on_progress, "tune"),
        checkpoint=checkpoint,
    )
    engine = TorchEngine(model.encoder, compute)
    corrector = Corrector(TorchDecoder(model.decoder, compute))
    head = gated(best, dev, engine, corrector, config.clean_left_alone)
    prompt = Prompt(deep=best.encoder)
    held_out = judge_corrections(prompt, head, dataset.dev, backbone, engine, corrector)
    made = Provenance(
        data_sha256=dataset.sha256(),
        rows=len(dataset.train) + len(dataset.dev),
        seed=config.seed,
        config=config.model_dump(mode="json"),
        code_version=code_version(),
        seconds=round(time.monotonic() - began, 1),
    )
    draft = SkillDraft(
        name=name,
        kind=SkillKind.GRAMMAR,
        method=Method.DEEP_PROMPT,
        labels=(),
        backbone=backbone.fingerprint,
        head={"grammar": grammar_settings(head)},
        calibration=Calibration(),
        metrics=held_out.metrics.as_flat_dict(),
        provenance=made if grown_from is None else grown(made, grown_from),
        tensors=pack_skill(prompt, grammar=head),
    )
    return Trained(draft, held_out)


def _check(train: list[Pair], dev: list[Pair]) -> None:
    if not any(pair.has_error for pair in train):
        raise InputError(
            "no training sentence has an error: give pairs whose correction differs from the text",
            field="data",
        )
    kinds = {pair.has_error for pair in dev}
    if kinds != {True, False}:
        raise InputError(
            "the gate needs held-out sentences with errors and without: give more rows, or a dev file",
            field="dev",
        )
