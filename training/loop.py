"""The training loop: tune one prompt and what an objective has besides it on rows of a frozen encoder.

AdamW, warm-up, cosine decay; the best state on held-out rows is kept.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.config import LoopConfig, TrainingConfig
from training.example import Example
from training.models import PromptedEncoder
from training.objective import Objective
from training.snapshot import Snapshot

SHUFFLE_BATCHES = 8  # batches sorted by length together: little padding, and still different every epoch
EVALUATIONS = 20  # of the held-out rows at most, so that they cost little beside the training


@dataclass(frozen=True)
class Progress:
    """Where a run is; `dev_score` is the last one measured, None without held-out rows."""

    step: int
    steps: int
    loss: float
    dev_score: float | None
    seconds_left: float
    score_name: str = "accuracy"  # what the score is


def tune(
    encoder: PromptedEncoder,
    objective: Objective,
    train: Sequence[Example],
    dev: Sequence[Example] | None,
    config: LoopConfig,
    *,
    steps: int | None = None,
    context_rate: float | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> int:
    """Tune the encoder's prompt and the objective, leave both in the best state, and return its step.

    Args:
        encoder: over the rows of all examples.
        objective: what the prompt is tuned for.
        train: rows to learn.
        dev: held-out rows.
        config: hyper-parameters.
        steps: None for as many as the config plans.
        context_rate: of what the encoder has for expected slots; None for the prompt's.
        on_progress: called after every step.

    With `dev`, quality there is measured now and then and the best state is kept, by loss among equals; in
    the second half of the run, `config.patience` measurements without a better one end it. (Loss alone would
    choose too early: label smoothing spoils it long before accuracy suffers.) Without `dev` the run takes all
    `steps` and keeps the last state.
    """
    generator = np.random.default_rng(config.seed)
    steps = steps or planned_steps(len(train), config)
    optimizer, schedule = _optimizer(encoder, objective, config, steps, context_rate)
    evaluate_every = max(math.ceil(len(train) / config.batch_rows), math.ceil(steps / EVALUATIONS))
    best: Snapshot | None = None
    best_score = score = None
    best_step, patience = steps, config.patience
    start, running_loss = time.monotonic(), 0.0
    for step, picked in zip(range(1, steps + 1), _batches(encoder, train, config, generator), strict=False):
        examples = objective.drawn([train[i] for i in picked], generator)
        loss = _backward(encoder, objective, examples, optimizer)
        for parameters in (encoder.parameters(), encoder.context_parameters()):
            nn.utils.clip_grad_norm_(parameters, config.clip_norm)
        optimizer.step()
        schedule.step()
        running_loss += (loss - running_loss) / min(step, 20)
        if dev is not None and (step % evaluate_every == 0 or step == steps):
            score = objective.measure(encoder, dev)
            if step > steps / 2:  # before, the rate is large and the state moves to and fro
                patience -= 1
            if best_score is None or score.better_than(best_score):
                best, best_score, best_step = _snapshot(encoder, objective), score, step
                patience = config.patience
        seconds_left = (time.monotonic() - start) / step * (steps - step)
        quality = None if score is None else score.quality
        on_progress(Progress(step, steps, running_loss, quality, seconds_left, objective.score_name))
        if patience == 0:
            break
    if best is not None:
        best.restore()
    return best_step


def planned_steps(rows: int, config: TrainingConfig) -> int:
    """Return the number of steps that the config gives to a file of this many rows."""
    epoch = math.ceil(rows / config.batch_rows)
    return min(max(config.epochs * epoch, config.min_steps), config.max_steps)


def _snapshot(encoder: PromptedEncoder, objective: Objective) -> Snapshot:
    return Snapshot([*encoder.parameters(), *encoder.context_parameters(), *objective.parameters()])


def _backward(
    encoder: PromptedEncoder,
    objective: Objective,
    examples: Sequence[Example],
    optimizer: torch.optim.Optimizer,
) -> float:
    """Set the gradients of a batch, and return its loss."""
    encoded = encoder.encode([each.place for each in examples], [each.expected for each in examples])
    loss = objective.loss(encoded, examples)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.item()


def _optimizer(
    encoder: PromptedEncoder,
    objective: Objective,
    config: LoopConfig,
    steps: int,
    context_rate: float | None,
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    groups = [
        {"params": encoder.parameters(), "lr": config.prompt_rate},
        {"params": encoder.context_parameters(), "lr": context_rate or config.prompt_rate},
        {"params": objective.parameters(), "lr": config.head_rate},
    ]
    return scheduled([group for group in groups if group["params"]], config, steps)


def scheduled(
    groups: list[dict[str, Any]], config: TrainingConfig, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return AdamW over groups of parameters with their rates, and its warm-up and cosine decay."""
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    warmup = max(1, round(config.warmup_share * steps))

    def factor(step: int) -> float:
        return min(1.0, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _batches(
    encoder: PromptedEncoder, train: Sequence[Example], config: LoopConfig, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield places in `train` for ever: shuffled, then sorted by length within a few batches' worth."""
    lengths = np.array([len(encoder.rows[each.place]) for each in train])
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
