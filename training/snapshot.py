"""Parameters as they were at a moment."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Snapshot:
    """A copy of parameters' values, and the way back to them."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._values: list[Tensor] = [each.detach().clone() for each in self._parameters]

    @torch.no_grad()
    def restore(self) -> None:
        """Give the parameters the values that they had."""
        for parameter, values in zip(self._parameters, self._values, strict=True):
            parameter.copy_(values)
