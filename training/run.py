"""A run of AdamW: what it trains, how far it has come, and the best state on its way.

The rates warm up and then decay along a cosine to zero.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from training.config import TrainingConfig
from training.objective import Score
from training.snapshot import Snapshot


@dataclass
class Reached:
    """How far a run has come."""

    task: str = ""  # a hash of all that the run is about
    step: int = 0
    loss: float = 0.0  # running mean
    score: Score | None = None  # the last one measured
    best_score: Score | None = None
    best_step: int = 0
    waited: int = 0  # measurements since the best one, once half of the steps are done
    finished: bool = False


class Run:
    """Trains parameters; `groups` of them have `params` and the rate `lr` each, as AdamW takes them.

    Everything that the rest of a run depends on is in `reached` and `tensors()`.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], config: TrainingConfig, steps: int) -> None:
        groups = [group for group in groups if group["params"]]
        self.reached = Reached()
        self.steps = steps
        self.parameters: list[nn.Parameter] = [each for group in groups for each in group["params"]]
        self._optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
        self._rates: list[float] = [group["lr"] for group in groups]
        self._warmup = max(1, round(config.warmup_share * steps))
        self._best: Snapshot | None = None
        self._began, self._began_at = time.monotonic(), 0

    @property
    def seconds_left(self) -> float:
        """How long the rest will take, at the pace so far."""
        done = self.reached.step - self._began_at
        return (time.monotonic() - self._began) / max(done, 1) * (self.steps - self.reached.step)

    def backward(self, loss: Tensor) -> None:
        """Set the gradients of a batch's loss."""
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]

    def advance(self, loss: Tensor) -> None:
        """Take a step along the gradients that are set; `loss` is that of their batch."""
        reached = self.reached
        factor = min(1.0, (reached.step + 1) / self._warmup)
        factor *= 0.5 * (1 + math.cos(math.pi * reached.step / self.steps))
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        self._optimizer.step()
        reached.step += 1
        reached.loss += (loss.item() - reached.loss) / min(reached.step, 20)

    def judge(self, score: Score) -> None:
        """Keep the present state if it is the best one so far."""
        reached = self.reached
        reached.score = score
        if reached.step > self.steps / 2:  # before, the rate is large and the state moves to and fro
            reached.waited += 1
        if reached.best_score is None or score.better_than(reached.best_score):
            reached.best_score, reached.best_step, reached.waited = score, reached.step, 0
            self._best = Snapshot(self.parameters)

    def finish(self) -> None:
        """Put the parameters into the best state; the last one, if none was judged."""
        if self.reached.finished:
            return
        if self._best is None:
            self.reached.best_step = self.reached.step
        else:
            self._best.restore()
        self._best = None
        self._optimizer.state.clear()
        self.reached.finished = True

    def tensors(self) -> dict[str, Tensor]:
        """Return copies of parameters, and what there is of the best ones and of the optimizer's state."""
        values = {f"{place}.value": each for place, each in enumerate(self.parameters)}
        best = {f"{place}.best": each for place, each in enumerate(self._best.values if self._best else ())}
        moments = {
            f"{place}.{name}": tensor
            for place, each in enumerate(self.parameters)
            for name, tensor in self._optimizer.state.get(each, {}).items()
        }
        return {name: each.detach().clone() for name, each in (values | best | moments).items()}

    @torch.no_grad()
    def restore(self, reached: Reached, tensors: Mapping[str, Tensor]) -> None:
        """Go on where another run of the same parameters was."""
        self.reached, self._began_at = replace(reached), reached.step
        best: dict[int, Tensor] = {}
        for key, tensor in tensors.items():
            number, name = key.split(".")
            place = int(number)
            if name == "value":
                self.parameters[place].copy_(tensor)
            elif name == "best":
                best[place] = tensor
            else:
                self._optimizer.state[self.parameters[place]][name] = tensor
        if best:
            self._best = Snapshot(self.parameters, [best[place] for place in range(len(self.parameters))])
