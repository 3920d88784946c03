"""The training loop of grammar skills: prompts of encoder and decoder, and the detector of wrong tokens.

Loss: cross-entropy of the corrections, plus that of the detector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice

import numpy as np
import torch
from torch import nn

from training.checkpoint import Checkpoint
from training.config import CorrectionConfig
from training.correction_model import CorrectionModel, TrainedVectors
from training.correction_pairs import Pair, batches, by_length
from training.loop import Progress, planned_steps
from training.objective import Score
from training.run import Run

EVALUATIONS = 10  # of the held-out rows
EVALUATION_ROWS = 32


def tune_corrections(
    model: CorrectionModel,
    train: Sequence[Pair],
    dev: Sequence[Pair],
    config: CorrectionConfig,
    generator: np.random.Generator,
    *,
    on_progress: Callable[[Progress], None],
    checkpoint: Checkpoint | None = None,
) -> TrainedVectors:
    """Tune to the state of least held-out loss, and return it; that before the first step is one of them.

    A `checkpoint` says where the run goes on if it was interrupted, and saves its state now and then.
    """
    steps = planned_steps(len(train), config)
    groups = [
        {"params": model.prompt_parameters(), "lr": config.prompt_rate},
        {"params": list(model.detector.parameters()), "lr": config.head_rate},
    ]
    run = Run(groups, config, steps)
    checkpoint = checkpoint or Checkpoint()
    checkpoint.resume("tune", run, config, train, dev)
    if run.reached.step == 0:
        run.judge(_score(model, dev, config))
    # Batches that were learned already are drawn again, so that those after them are the same.
    for batch in islice(batches(train, config.batch_rows, generator), run.reached.step, steps):
        correcting, detecting = model.losses(batch)
        loss = correcting + config.detector_weight * detecting
        run.backward(loss)
        nn.utils.clip_grad_norm_(model.trained(), config.clip_norm)
        run.advance(loss)
        if run.reached.step % math.ceil(steps / EVALUATIONS) == 0 or run.reached.step == steps:
            run.judge(_score(model, dev, config))
        on_progress(Progress(run.reached.step, steps, run.reached.loss, None, run.seconds_left))
        checkpoint.keep("tune", run)
    run.finish()
    checkpoint.keep("tune", run)
    return model.vectors()


def _score(model: CorrectionModel, dev: Sequence[Pair], config: CorrectionConfig) -> Score:
    """Return what states are compared by: the held-out loss alone."""
    return Score(0.0, held_out_loss(model, dev, config.detector_weight))


@torch.no_grad()
def held_out_loss(model: CorrectionModel, dev: Sequence[Pair], detector_weight: float) -> float:
    """Return the mean loss of held-out pairs."""
    total = 0.0
    for batch in by_length(dev, EVALUATION_ROWS):
        correcting, detecting = model.losses(batch)
        total += len(batch) * (correcting.item() + detector_weight * detecting.item())
    return total / len(dev)
