"""The state of an interrupted training: one safetensors file, from which another process goes on.

Its tensors are `RUN/PLACE.WHAT`, see `Run.tensors`; its metadata has a JSON document for each run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict

from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from training.provenance import code_version
from training.run import Reached, Run

logger = logging.getLogger(__name__)

Runs = dict[str, tuple[Reached, dict[str, Tensor]]]  # by name: how far each is, and its tensors


class Checkpoint:
    """Where the runs of one training are kept.

    Resumed on the same machine, a training makes the bytes that it would have made without interruption.

    Args:
        last: what was saved last, or None. Another task's, or a damaged one, is ignored with a warning.
        save: stores the bytes of a state in place of those before; None: nothing is kept.
        seconds: the least time between two saves; the end of a run is saved at once.
    """

    def __init__(
        self,
        last: bytes | None = None,
        save: Callable[[bytes], None] | None = None,
        *,
        seconds: float = 30.0,
    ) -> None:
        self._runs = _unpacked(last) if last else {}
        self._save = save
        self._seconds = seconds
        self._saved_at = time.monotonic()

    def resume(self, name: str, run: Run, *task: object) -> None:
        """Bring a run that is at its beginning to where the run of this name was, if it was saved.

        `task` is all that makes a run what it is besides its parameters' sizes and this program's version;
        what has an equal `repr` is equal.
        """
        sizes = [tuple(each.shape) for each in run.parameters]
        everything = (code_version(), name, run.steps, sizes, task)
        run.reached.task = hashlib.sha256(repr(everything).encode()).hexdigest()
        if name not in self._runs:
            return
        reached, tensors = self._runs[name]
        if reached.task != run.reached.task:
            logger.warning("the checkpoint is of other rows or settings: training begins anew")
            self._runs.clear()
            return
        run.restore(reached, tensors)
        logger.info("%s goes on after step %d of %d", name, reached.step, run.steps)

    def hurry(self) -> None:
        """Let the next `keep` save, however short the last one was ago."""
        self._saved_at = -math.inf

    def keep(self, name: str, run: Run) -> None:
        """Save where a run is, if it is time to."""
        overdue = time.monotonic() - self._saved_at >= self._seconds
        if self._save is None or not (overdue or run.reached.finished):
            return
        self._runs[name] = run.reached, run.tensors()
        self._save(_packed(self._runs))
        self._saved_at = time.monotonic()


def _packed(runs: Runs) -> bytes:
    tensors = {f"{name}/{key}": each for name, (_, own) in runs.items() for key, each in own.items()}
    return save(tensors, {name: json.dumps(asdict(reached)) for name, (reached, _) in runs.items()})


def _unpacked(blob: bytes) -> Runs:
    """Return the runs of a file; none, with a warning, where it is damaged."""
    try:
        tensors = load(blob)
        header = json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")])  # `load` leaves it out
        return {
            name: (
                TypeAdapter(Reached).validate_json(document),
                {key.removeprefix(f"{name}/"): tensors[key] for key in tensors if key.startswith(f"{name}/")},
            )
            for name, document in header["__metadata__"].items()
        }
    except (SafetensorError, ValueError, KeyError) as error:
        logger.warning("the checkpoint is damaged (%s): training begins anew", error)
        return {}
