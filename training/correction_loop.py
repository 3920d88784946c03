"""The training loop of grammar skills: prompts of encoder and decoder, and the detector of wrong tokens.

Loss: cross-entropy of the corrections, plus that of the detector. AdamW, warm-up, cosine decay.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from training.config import CorrectionConfig
from training.correction_model import CorrectionModel, TrainedVectors
from training.correction_pairs import Pair, batches, by_length
from training.loop import Progress, planned_steps, scheduled

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
) -> TrainedVectors:
    """Tune and return the state of least held-out loss; the state before the first step is one of them."""
    steps = planned_steps(len(train), config)
    best, least = model.vectors(), held_out_loss(model, dev, config.detector_weight)
    if not steps:
        return best
    groups = [
        {"params": model.prompt_parameters(), "lr": config.prompt_rate},
        {"params": list(model.detector.parameters()), "lr": config.head_rate},
    ]
    optimizer, schedule = scheduled(groups, config, steps)
    started, running = time.monotonic(), 0.0
    for step, batch in zip(range(1, steps + 1), batches(train, config.batch_rows, generator), strict=False):
        correcting, detecting = model.losses(batch)
        loss = correcting + config.detector_weight * detecting
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.trained(), config.clip_norm)
        optimizer.step()
        schedule.step()
        running += (loss.item() - running) / min(step, 20)
        if step % math.ceil(steps / EVALUATIONS) == 0 or step == steps:
            found = held_out_loss(model, dev, config.detector_weight)
            if found < least:
                best, least = model.vectors(), found
        left = (time.monotonic() - started) / step * (steps - step)
        on_progress(Progress(step, steps, running, None, left))
    return best


@torch.no_grad()
def held_out_loss(model: CorrectionModel, dev: Sequence[Pair], detector_weight: float) -> float:
    """Return the mean loss of held-out pairs."""
    total = 0.0
    for batch in by_length(dev, EVALUATION_ROWS):
        correcting, detecting = model.losses(batch)
        total += len(batch) * (correcting.item() + detector_weight * detecting.item())
    return total / len(dev)
