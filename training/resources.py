"""What a training runs on: the backbone and the threads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from nlu.compute import Compute


@dataclass(frozen=True)
class Resources:
    """Which backbone is tuned, with how many threads; `cache` None is the user's, `threads` 0 all there are.

    Torch is imported by `compute`: a worker that only hands jobs out does without.
    """

    backbone: str = "embedded"
    cache: Path | None = None
    threads: int = 0

    def load_backbone(self) -> Backbone:
        """Return the frozen model.

        Raises:
            BackboneError: it cannot be found, read or fetched.
        """
        from nlu.backbone import Backbone

        return Backbone.load(self.backbone, cache=self.cache)

    def compute(self, precision: str) -> Compute:
        """Settle the precision of the frozen weights, and set torch's threads; training runs on the CPU.

        Raises:
            InputError: there are fewer CPUs than threads.
        """
        from nlu.compute import choose

        return choose("cpu", precision, self.threads)
