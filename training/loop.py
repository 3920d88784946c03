"""The training loop: tune one prompt and what an objective has besides it on rows of a frozen encoder.

The best state on held-out rows is kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from training.checkpoint import Checkpoint
from training.config import LoopConfig, TrainingConfig
from training.example import Example
from training.models import PromptedEncoder
from training.objective import Objective
from training.run import Run

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

    @classmethod
    def of(cls, run: Run, score_name: str) -> Progress:
        """Return where a run is."""
        reached = run.reached
        quality = None if reached.score is None else reached.score.quality
        return cls(reached.step, run.steps, reached.loss, quality, run.seconds_left, score_name)


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
    checkpoint: Checkpoint | None = None,
    name: str = "tune",
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
        checkpoint: where the run goes on if it was interrupted, and saves its state now and then.
        name: the run's in the checkpoint.

    With `dev`, quality there is measured now and then and the best state is kept, by loss among equals; in
    the second half of the run, `config.patience` measurements without a better one end it. (Loss alone would
    choose too early: label smoothing spoils it long before accuracy suffers.) Without `dev` the run takes all
    `steps` and keeps the last state.
    """
    steps = steps or planned_steps(len(train), config)
    run = Run(_groups(encoder, objective, config, context_rate), config, steps)
    checkpoint = checkpoint or Checkpoint()
    rows = [(encoder.rows[each.place], each) for each in (*train, *(dev or ()))]
    checkpoint.resume(name, run, config, len(train), rows)
    evaluate_every = max(math.ceil(len(train) / config.batch_rows), math.ceil(steps / EVALUATIONS))
    batches = _batches(encoder, objective, train, config)
    for examples in islice(batches, run.reached.step, steps):  # what was learned already is drawn again
        if run.reached.waited == config.patience:
            break
        encoded = encoder.encode([each.place for each in examples], [each.expected for each in examples])
        loss = objective.loss(encoded, examples)
        run.backward(loss)
        for parameters in (encoder.parameters(), encoder.context_parameters()):
            nn.utils.clip_grad_norm_(parameters, config.clip_norm)
        run.advance(loss)
        if dev is not None and (run.reached.step % evaluate_every == 0 or run.reached.step == steps):
            run.judge(objective.measure(encoder, dev))
        on_progress(Progress.of(run, objective.score_name))
        checkpoint.keep(name, run)
    run.finish()
    checkpoint.keep(name, run)
    return run.reached.best_step


def planned_steps(rows: int, config: TrainingConfig) -> int:
    """Return the number of steps that the config gives to a file of this many rows."""
    epoch = math.ceil(rows / config.batch_rows)
    return min(max(config.epochs * epoch, config.min_steps), config.max_steps)


def _groups(
    encoder: PromptedEncoder, objective: Objective, config: LoopConfig, context_rate: float | None
) -> list[dict[str, Any]]:
    return [
        {"params": encoder.parameters(), "lr": config.prompt_rate},
        {"params": encoder.context_parameters(), "lr": context_rate or config.prompt_rate},
        {"params": objective.parameters(), "lr": config.head_rate},
    ]


def _batches(
    encoder: PromptedEncoder, objective: Objective, train: Sequence[Example], config: LoopConfig
) -> Iterator[Sequence[Example]]:
    """Yield batches for ever, as they are to be learned: shuffled, then sorted by length within a few."""
    generator = np.random.default_rng(config.seed)
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
            yield objective.drawn([train[i] for i in batches[index]], generator)
