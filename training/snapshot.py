"""Parameters as they were at a moment."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Snapshot:
    """Values of parameters, and the way back to them; without `values`, a copy of those that they have."""

    def __init__(self, parameters: Sequence[nn.Parameter], values: Sequence[Tensor] | None = None) -> None:
        self._parameters = list(parameters)
        self.values = [each.detach().clone() for each in parameters] if values is None else list(values)

    @torch.no_grad()
    def restore(self) -> None:
        """Give the parameters the values that they had."""
        for parameter, values in zip(self._parameters, self.values, strict=True):
            parameter.copy_(values)
