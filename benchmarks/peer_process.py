"""A peer as a process of its own, in its own environment, and what it says of texts."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_SILENT = {
    "HF_HUB_OFFLINE": "1",
    "RASA_TELEMETRY_ENABLED": "false",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TOKENIZERS_PARALLELISM": "false",
}
_THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@dataclass(frozen=True)
class Labeled:
    """The labels of some texts, and the seconds and the processor time that they took who labeled them."""

    labels: list[str]
    seconds: float
    processor_seconds: float


class PeerProcess:
    """A peer that is ready; `seconds` that it took to learn or load."""

    def __init__(self, process: subprocess.Popen[str], task: dict[str, Any]) -> None:
        self._process = process
        self.seconds: float = self._ask(task)["seconds"]

    def label(self, texts: Sequence[str]) -> Labeled:
        """Label texts, all at once."""
        return Labeled(**self._ask(list(texts)))

    def _ask(self, message: object) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        reply: dict[str, Any] = json.loads(self._process.stdout.readline() or "{}")
        if not reply:
            raise RuntimeError(f"{self._process.args!r} ended; why, it has written to standard error")
        return reply


@contextmanager
def peer(python: Path, module: str, *arguments: str, task: dict[str, Any]) -> Iterator[PeerProcess]:
    """Run a module that `answer`s, with the task's number of threads, until the end of the block.

    Raises:
        RuntimeError: it ended; why, it has written to standard error.
    """
    variables = _SILENT | dict.fromkeys(_THREADS, str(task["threads"])) | {"PYTHONPATH": str(ROOT)}
    command = [str(python), "-W", "ignore", "-m", f"benchmarks.{module}", *arguments]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | variables,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield PeerProcess(process, task)
        finally:
            process.terminate()
