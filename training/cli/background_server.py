"""`softspoken serve` as a process of its own, started and stopped as an operator would."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skills.errors import SoftspokenError

ROOT = Path(__file__).resolve().parents[2]  # `training` may not be installed
_STOP_SECONDS = 30.0  # more than the server gives requests in flight


@contextmanager
def background_server(
    catalog: str, log: Path, *options: str, cache: Path | None, threads: int
) -> Iterator[str]:
    """Yield the address of a server on a free port; it is gone afterwards.

    Raises:
        SoftspokenError: it does not start, or does not stop with 0.
    """
    settings = ["--catalog", catalog, "--address", "127.0.0.1:0", "--threads", str(threads), *options]
    if cache is not None:
        settings += ["--cache-dir", str(cache.resolve())]
    # What a softspoken.toml of the user says is not for this server.
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "serve", *settings]
    with log.open("w") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603
    with process:
        try:
            yield _address(process, log)
        finally:
            code = _stop(process)
    if code != 0:
        raise SoftspokenError(f"the server ended with {code} instead of 0: {_tail(log)}")


def _stop(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _address(process: subprocess.Popen[str], log: Path) -> str:
    line = process.stdout.readline() if process.stdout else ""
    _, serving, address = line.partition("serving on ")
    if not serving:
        raise SoftspokenError(f"the server did not start: {_tail(log)}")
    return address.strip()


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it logged nothing"
