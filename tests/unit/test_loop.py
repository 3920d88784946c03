"""The loop over a model so small that a run takes milliseconds; test_trainer runs it over the backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nlu.half import widened
from nlu.prompt import Floats, Prompt
from training.config import TuningConfig, make_config
from training.example import Example
from training.loop import Progress, planned_steps
from training.loop import tune as tune_objective
from training.models import Encoded, Expected, PromptedEncoder
from training.objective import IntentObjective

LABELS = np.arange(24, dtype=np.int64) % 3


class Rotated(PromptedEncoder):
    """Features are fixed points times a trainable (D, D) matrix, which stands in for the prompt."""

    def __init__(self, points: Tensor) -> None:
        super().__init__([(1,) * (1 + i % 7) for i in range(len(points))])
        self.width = points.shape[1]
        self._points = points
        self._matrix = nn.Parameter(torch.eye(self.width))
        self.learned: list[list[int]] = []

    def parameters(self) -> list[nn.Parameter]:
        return [self._matrix]

    def encode(self, indices: Sequence[int], expected: Expected = ()) -> Encoded:
        if torch.is_grad_enabled():
            self.learned.append(list(indices))
        states = (self._points[list(indices)] @ self._matrix)[:, None]
        return Encoded(states, torch.ones(len(indices), 1, dtype=torch.bool))

    def prompt(self) -> Prompt:
        return Prompt(soft=self._matrix.detach().clone().numpy())


def make_encoder(*, noise: float = 0.5, seed: int = 0) -> Rotated:
    """24 noisy points around three centres: the signal is in 3 of 8 dimensions, the noise in the others."""
    generator = torch.Generator().manual_seed(seed)
    centres = F.pad(torch.eye(3), (0, 5))
    points = centres[torch.from_numpy(LABELS)]
    return Rotated(points + noise * F.pad(torch.randn(24, 5, generator=generator), (3, 0)))


def config_of(**values: object) -> TuningConfig:
    return make_config(**({"min_steps": 0, "max_steps": 60, "epochs": 1000, "batch_rows": 8} | values))


def rows(*places: int, labels: Sequence[int] = LABELS.tolist()) -> list[Example]:
    return [Example(place, labels[place]) for place in places]


TRAIN, DEV = rows(*range(18)), rows(*range(18, 24))


@dataclass(frozen=True)
class Tuned:
    prompt: Prompt
    prototypes: Floats
    steps: int


def tune(
    encoder: Rotated,
    train: Sequence[Example],
    dev: Sequence[Example] | None,
    config: TuningConfig,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Tuned:
    objective = IntentObjective(encoder, train, config)
    steps = tune_objective(encoder, objective, train, dev, config, on_progress=on_progress)
    return Tuned(encoder.prompt(), objective.prototypes(), steps)


def accuracy(encoder: Rotated, tuned: Tuned, where: Sequence[Example]) -> float:
    scores = encoder.all_features([each.place for each in where]).numpy() @ tuned.prototypes.T
    return float(np.mean(scores.argmax(axis=1) == [each.intent for each in where]))


def weights_of(encoder: Rotated) -> Floats:
    [matrix] = encoder.prompt().arrays()
    return widened(matrix)


def test_learns() -> None:
    encoder, seen = make_encoder(), list[Progress]()
    tuned = tune(encoder, TRAIN, DEV, config_of(), on_progress=seen.append)
    assert accuracy(encoder, tuned, TRAIN) == 1
    assert accuracy(encoder, tuned, DEV) == 1
    assert seen[-1].loss < seen[0].loss
    np.testing.assert_allclose(np.linalg.norm(tuned.prototypes, axis=1), 1, rtol=1e-5)


def test_the_contrastive_term_pulls_rows_of_a_label_together() -> None:
    def similarity(contrastive_weight: float) -> float:
        encoder = make_encoder()
        tune(encoder, TRAIN, None, config_of(contrastive_weight=contrastive_weight))
        features = encoder.all_features(range(18))
        same = torch.from_numpy(LABELS[:18, None] == LABELS[None, :18])
        return float((features @ features.T)[same].mean())

    assert similarity(1.0) > similarity(0.0) + 0.02


def test_the_same_seed_gives_the_same_bytes() -> None:
    runs = []
    for seed in (1, 1, 2):
        encoder = make_encoder()
        tuned = tune(encoder, TRAIN, DEV, config_of(seed=seed))
        runs.append((weights_of(encoder).tobytes(), tuned.prototypes.tobytes()))
    assert runs[0] == runs[1] != runs[2]


def test_every_epoch_takes_every_row_once_in_another_order() -> None:
    encoder = make_encoder()
    tune(encoder, TRAIN, None, config_of(max_steps=6))
    epochs = [[place for batch in encoder.learned[start : start + 3] for place in batch] for start in (0, 3)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(18))
    assert epochs[0] != epochs[1]
    assert {len(batch) for batch in encoder.learned} == {8, 2}


def test_a_batch_of_one_row_is_no_obstacle() -> None:
    encoder = make_encoder()
    tuned = tune(encoder, rows(*range(17)), DEV, config_of(max_steps=6))
    assert [len(batch) for batch in encoder.learned].count(1) == 2
    assert np.isfinite(tuned.prototypes).all()


@pytest.mark.parametrize("changes", [{"max_steps": 200, "patience": 2}, {"max_steps": 200, "patience": 100}])
def test_the_best_state_is_returned_and_left_in_the_encoder(changes: dict[str, object]) -> None:
    """With noise for labels the held-out loss only rises: the best state is an early one."""
    encoder, states = make_encoder(noise=3.0), list[Floats]()
    labels = np.random.default_rng(0).integers(0, 3, 18).tolist()
    tuned = tune(
        encoder,
        rows(*range(18), labels=labels),
        DEV,
        config_of(**changes),
        on_progress=lambda progress: states.append(weights_of(encoder)),
    )
    assert tuned.steps < len(states)
    [best] = tuned.prompt.arrays()
    assert np.array_equal(best, states[tuned.steps - 1])
    assert np.array_equal(best, weights_of(encoder))
    assert not np.array_equal(best, states[-1])


def test_patience_ends_the_run_early() -> None:
    seen = list[Progress]()
    labels = np.random.default_rng(0).integers(0, 3, 18).tolist()
    config = config_of(max_steps=200, patience=2)
    tune(make_encoder(noise=3.0), rows(*range(18), labels=labels), DEV, config, on_progress=seen.append)
    assert len(seen) < 200


def test_without_held_out_rows_all_steps_are_taken_and_the_last_state_kept() -> None:
    encoder, seen = make_encoder(), list[Progress]()
    tuned = tune(encoder, TRAIN, None, config_of(max_steps=9, patience=1), on_progress=seen.append)
    assert tuned.steps == len(seen) == 9
    assert all(each.dev_score is None for each in seen)
    assert np.array_equal(tuned.prompt.arrays()[0], weights_of(encoder))


def test_no_steps_leave_the_class_means() -> None:
    encoder = make_encoder()
    tuned = tune(encoder, TRAIN, DEV, config_of(max_steps=0))
    assert tuned.steps == 0
    assert np.array_equal(weights_of(encoder), np.eye(8, dtype=np.float32))
    features = encoder.all_features(range(18)).numpy()
    for label in range(3):
        mean = features[LABELS[:18] == label].mean(axis=0)
        np.testing.assert_allclose(tuned.prototypes[label], mean / np.linalg.norm(mean), atol=1e-6)


def test_progress_counts_up_and_ends() -> None:
    seen = list[Progress]()
    tune(make_encoder(), TRAIN, DEV, config_of(max_steps=12, patience=100), on_progress=seen.append)
    assert [each.step for each in seen] == list(range(1, 13))
    assert {each.steps for each in seen} == {12}
    assert all(each.seconds_left >= 0 for each in seen)
    assert seen[-1].seconds_left == 0
    assert seen[-1].dev_score is not None


def test_an_interruption_reaches_the_caller() -> None:
    def interrupt(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    encoder = make_encoder()
    with pytest.raises(KeyboardInterrupt):
        tune(encoder, TRAIN, DEV, config_of(), on_progress=interrupt)
    assert len(encoder.learned) == 3


@pytest.mark.parametrize(
    ("rows", "values", "steps"),
    [
        (96, {}, 100),  # 20 epochs of 3 steps are too few to move the prompt
        (770, {}, 500),
        (10_000, {}, 2500),
        (33, {"min_steps": 0}, 40),
        (1, {"min_steps": 0, "epochs": 3}, 3),
        (770, {"max_steps": 7}, 7),
        (770, {"max_steps": 0}, 0),
    ],
)
def test_planned_steps(rows: int, values: dict[str, Any], steps: int) -> None:
    defaults = {"epochs": 20, "min_steps": 100, "max_steps": 2500, "batch_rows": 32}
    assert planned_steps(rows, make_config(**(defaults | values))) == steps
