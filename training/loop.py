"""The training loop: tune one prompt and its prototypes on labeled rows of a frozen encoder.

Loss: cross-entropy of scaled cosines against normalised prototypes, label-smoothed, plus a supervised
contrastive term (Khosla et al. 2020, "Supervised Contrastive Learning"). AdamW, warm-up, cosine decay.
Shapes: B rows of a batch, C labels, D model size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.prompt import Floats, Prompt
from training.config import TuningConfig
from training.models import PromptedEncoder

SHUFFLE_BATCHES = 8  # batches sorted by length together: little padding, and still different every epoch
EVALUATIONS = 20  # of the held-out rows at most, so that they cost little beside the training


@dataclass(frozen=True)
class Progress:
    """Where a run is; `dev_accuracy` is the last one measured, None without held-out rows."""

    step: int
    steps: int
    loss: float
    dev_accuracy: float | None
    seconds_left: float


@dataclass(frozen=True, eq=False)
class Tuned:
    """The result: a prompt and (C, D) unit-length prototypes, after `steps` of at most `planned` steps."""

    prompt: Prompt
    prototypes: Floats
    steps: int


@dataclass(frozen=True, eq=False)
class Rows:
    """Which rows of the encoder's list to use, and the label index of each, (rows,)."""

    indices: Sequence[int]
    labels: NDArray[np.int64]


def tune(
    encoder: PromptedEncoder,
    train: Rows,
    dev: Rows | None,
    config: TuningConfig,
    *,
    steps: int | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Tuned:
    """Tune the encoder's prompt and return the best state, in which the encoder is left.

    With `dev`, accuracy there is measured now and then and the best state is kept, by loss among equals; in
    the second half of the run, `config.patience` measurements without a better one end it. (Loss alone would
    choose too early: label smoothing spoils it long before accuracy suffers.) Without `dev` the run takes all
    `steps` and keeps the last state.
    """
    generator = np.random.default_rng(config.seed)
    prototypes = nn.Parameter(
        _class_means(encoder.all_features(train.indices), torch.from_numpy(train.labels))
    )
    steps = steps or planned_steps(len(train.indices), config)
    optimizer, schedule = _optimizer(encoder, prototypes, config, steps)
    evaluate_every = max(math.ceil(len(train.indices) / config.batch_rows), math.ceil(steps / EVALUATIONS))
    best, best_score, patience, accuracy = None, (-1.0, 0.0), config.patience, None
    start, running_loss = time.monotonic(), 0.0
    for step, picked in zip(range(1, steps + 1), _batches(encoder, train, config, generator), strict=False):
        features = encoder.features([train.indices[i] for i in picked])
        loss = _loss(features, prototypes, torch.from_numpy(train.labels[picked]), config)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(encoder.parameters(), config.clip_norm)
        optimizer.step()
        schedule.step()
        running_loss += (loss.item() - running_loss) / min(step, 20)
        if dev is not None and (step % evaluate_every == 0 or step == steps):
            dev_loss, accuracy = _evaluate(encoder, prototypes, dev, config)
            if step > steps / 2:  # before, the rate is large and the state moves to and fro
                patience -= 1
            if (accuracy, -dev_loss) > best_score:
                best, best_score = _state(encoder, prototypes, step), (accuracy, -dev_loss)
                patience = config.patience
        seconds_left = (time.monotonic() - start) / step * (steps - step)
        on_progress(Progress(step, steps, running_loss, accuracy, seconds_left))
        if patience == 0:
            break
    if best is None:
        return _state(encoder, prototypes, steps)
    encoder.reset(best.prompt)
    return best


def planned_steps(rows: int, config: TuningConfig) -> int:
    """Return the number of steps that the config gives to a file of this many rows."""
    epoch = math.ceil(rows / config.batch_rows)
    return min(max(config.epochs * epoch, config.min_steps), config.max_steps)


def _state(encoder: PromptedEncoder, prototypes: Tensor, steps: int) -> Tuned:
    return Tuned(encoder.prompt(), F.normalize(prototypes.detach(), dim=-1).numpy(), steps)


def _class_means(features: Tensor, labels: Tensor) -> Tensor:
    """Return the (C, D) unit-length means of each label's features: the prototypes to begin with."""
    sums = features.new_zeros(int(labels.max()) + 1, features.shape[1]).index_add_(0, labels, features)
    return F.normalize(sums, dim=-1)


def _optimizer(
    encoder: PromptedEncoder, prototypes: nn.Parameter, config: TuningConfig, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    groups = [
        {"params": encoder.parameters(), "lr": config.prompt_rate},
        {"params": [prototypes], "lr": config.head_rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    warmup = max(1, round(config.warmup_share * steps))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _batches(
    encoder: PromptedEncoder, train: Rows, config: TuningConfig, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield places in `train` for ever: shuffled, then sorted by length within a few batches' worth."""
    lengths = np.array([len(encoder.rows[i]) for i in train.indices])
    size = config.batch_rows
    while True:
        order = generator.permutation(len(lengths))
        batches: list[NDArray[np.int64]] = []
        for start in range(0, len(order), size * SHUFFLE_BATCHES):
            chunk = order[start : start + size * SHUFFLE_BATCHES]
            chunk = chunk[np.argsort(lengths[chunk], kind="stable")]
            batches += [chunk[i : i + size] for i in range(0, len(chunk), size)]
        for index in generator.permutation(len(batches)):
            yield batches[index]


def _loss(features: Tensor, prototypes: Tensor, labels: Tensor, config: TuningConfig) -> Tensor:
    """Loss of (B, D) features whose labels are (B,)."""
    scores = config.scale * features @ F.normalize(prototypes, dim=-1).T  # (B, C)
    loss = F.cross_entropy(scores, labels, label_smoothing=config.label_smoothing)
    if not config.contrastive_weight:
        return loss
    itself = torch.eye(len(labels), dtype=torch.bool)
    similar = (features @ features.T / config.contrastive_temperature).masked_fill(itself, -1e4)  # (B, B)
    positive = (labels[:, None] == labels[None]) & ~itself
    counts = positive.sum(1)
    paired = counts > 0
    if not paired.any():
        return loss
    contrast = -(similar.log_softmax(1) * positive).sum(1)[paired] / counts[paired]
    return loss + config.contrastive_weight * contrast.mean()


@torch.no_grad()
def _evaluate(
    encoder: PromptedEncoder, prototypes: Tensor, dev: Rows, config: TuningConfig
) -> tuple[float, float]:
    """Return the cross-entropy and the accuracy on held-out rows."""
    labels = torch.from_numpy(dev.labels)
    scores = config.scale * encoder.all_features(dev.indices) @ F.normalize(prototypes, dim=-1).T
    return F.cross_entropy(scores, labels).item(), (scores.argmax(1) == labels).float().mean().item()
