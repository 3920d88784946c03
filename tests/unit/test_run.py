"""A run over a parabola: what one run was, another of the same parameters goes on with."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from training.config import TrainingConfig
from training.objective import Score
from training.run import Run

STEPS = 10


def begun(*, steps: int = STEPS) -> Run:
    parameters = [nn.Parameter(torch.tensor([3.0, -2.0])), nn.Parameter(torch.tensor([1.0]))]
    groups = [{"params": parameters, "lr": 0.1}, {"params": [], "lr": 0.1}]
    return Run(groups, TrainingConfig.make(warmup_share=0.2), steps)


def advance(run: Run, *, steps: int, used: int = 2) -> None:
    """Take steps downhill along the first `used` parameters."""
    for _ in range(steps):
        loss: Tensor = torch.stack([each.square().sum() for each in run.parameters[:used]]).sum()
        run.backward(loss)
        run.advance(loss)


def values(run: Run) -> list[list[float]]:
    return [each.tolist() for each in run.parameters]


def resumed(run: Run) -> Run:
    other = begun()
    other.restore(run.reached, run.tensors())
    return other


@pytest.mark.parametrize("used", [1, 2])
def test_another_run_goes_on_to_the_same_values(used: int) -> None:
    """Also where a parameter has no gradient yet, and so no state in the optimizer."""
    run = begun()
    advance(run, steps=4, used=used)
    other = resumed(run)
    for each in (run, other):
        advance(each, steps=6)
    assert values(other) == values(run)
    assert other.reached == run.reached


def test_the_best_state_goes_along() -> None:
    run = begun()
    advance(run, steps=2)
    best = values(run)
    run.judge(Score(0.5, 1.0))
    advance(run, steps=4)
    run.judge(Score(0.5, 2.0))
    other = resumed(run)
    assert other.reached.waited == 1
    assert values(other) != best
    other.finish()
    assert values(other) == best
    assert other.reached.best_step == 2


def test_without_a_judgement_the_last_state_is_the_best() -> None:
    run = begun()
    advance(run, steps=STEPS)
    last = values(run)
    run.finish()
    assert values(run) == last
    assert run.reached.best_step == STEPS
    assert run.tensors().keys() == {"0.value", "1.value"}


def test_what_a_finished_run_said_is_not_changed_by_what_follows() -> None:
    run = begun()
    run.finish()
    tensors = run.tensors()
    with torch.no_grad():
        run.parameters[1].fill_(7.0)
    assert tensors["1.value"].tolist() == [1.0]


def test_only_the_second_half_makes_a_run_wait() -> None:
    run = begun()
    run.judge(Score(1.0, 0.0))
    advance(run, steps=5)
    run.judge(Score(0.0, 0.0))
    assert run.reached.waited == 0
    advance(run, steps=1)
    run.judge(Score(0.0, 0.0))
    assert run.reached.waited == 1
    run.judge(Score(1.0, -1.0))
    assert run.reached.waited == 0


def test_the_rate_warms_up_and_ends_near_zero() -> None:
    """The first steps of AdamW are as long as the rate."""
    run, ends = begun(steps=100), [3.0]
    for _ in range(100):
        advance(run, steps=1)
        ends.append(values(run)[0][0])
    moves = [abs(after - before) for before, after in pairwise(ends)]
    assert moves[0] == pytest.approx(0.1 / 20, rel=1e-3)
    assert moves[9] == pytest.approx(0.1 * 10 / 20 * 0.5 * (1 + math.cos(math.pi * 0.09)), rel=0.05)
    assert moves[-1] < 1e-4
