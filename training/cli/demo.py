"""`softspoken demo`: the whole way once, from labeled utterances to answers over gRPC."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from nlu.client_types import ParseRequest, ParseResult
from skills.errors import InputError, SoftspokenError
from training.cli.answers import answers_table
from training.cli.labeled_files import LabeledFiles
from training.cli.options import FOLDER, process_options, setting
from training.cli.output import print_table
from training.cli.train import print_summary
from training.cli.tuning import Tuning, run_tuning

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = Path("examples", "concierge")
UTTERANCES = (  # none of them is in the training file; the last is out of scope
    "my card vanished somewhere on the bus this morning",
    "can you get me on a plane from Oslo to Lisbon this Friday",
    "the rent I sent on Monday still hasn't reached my landlord",
    "what is the best way to peel a mango",
)
_N_BEST = 2
_STOP_SECONDS = 30.0  # more than the server gives requests in flight


@click.command()
@setting(
    "--keep", type=FOLDER, metavar="DIR", help="Keep the catalog, the report and the server's log there."
)
@process_options
def demo(keep: Path | None, cache_dir: Path | None, threads: int) -> None:
    """Train the example skill, serve it, ask it over gRPC, and stop.

    Takes a few minutes on two cores and needs no network.
    """
    examples = find_examples(ROOT)
    if keep is not None:
        _make(keep)
        _run(examples, keep.resolve(), cache_dir, threads)
        return
    with TemporaryDirectory(prefix="softspoken-") as folder:
        _run(examples, Path(folder), cache_dir, threads)


def find_examples(root: Path) -> Path:
    """Return the folder of the example data.

    Raises:
        InputError: it is not there, because only the packages are installed.
    """
    folder = root / EXAMPLES
    if not folder.is_dir():
        raise InputError(
            f"the example data ({EXAMPLES}) is part of the source tree, and {root} is none: "
            "run the demo from a clone of the repository, or train your own file with softspoken train",
            field="demo",
        )
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made ({error.strerror}): name another --keep", field="keep"
        ) from error


def _run(examples: Path, folder: Path, cache: Path | None, threads: int) -> None:
    began = time.monotonic()
    click.echo(f"1. train on {EXAMPLES / 'intents.jsonl'}")
    tuned = run_tuning(_tuning(examples, folder, cache, threads))
    print_summary(tuned, promoted=True)
    click.echo("2. start the server")
    starting = time.monotonic()
    with _server(folder, cache, threads) as address:
        served = time.monotonic() - starting
        click.echo(f"   serving on {address} after {served:.1f} s\n3. ask it over gRPC")
        results, milliseconds = _ask(address)
        print_table(answers_table(UTTERANCES, results))
    total = time.monotonic() - began
    slowest, fastest = max(milliseconds), min(milliseconds)
    click.echo(
        f"4. stopped it with SIGTERM\n{total:.0f} s in all: {tuned.seconds:.0f} s training, "
        f"{served:.0f} s starting; answers in {fastest:.0f} to {slowest:.0f} ms"
    )


def _tuning(examples: Path, folder: Path, cache: Path | None, threads: int) -> Tuning:
    from training.config import make_config

    return Tuning(
        name="concierge",
        files=LabeledFiles((examples / "intents.jsonl",)),
        dev=(examples / "intents_heldout.jsonl",),
        oos=(examples / "out_of_scope.jsonl",),
        config=make_config(),
        catalog=_catalog(folder),
        cache=cache,
        threads=threads,
        report=folder / "report.html",
    )


def _catalog(folder: Path) -> str:
    return f"sqlite:///{folder / 'softspoken.db'}"


def _ask(address: str) -> tuple[list[ParseResult], list[float]]:
    """Return the answers, and how long each took in milliseconds."""
    from nlu.client import Client

    results, milliseconds = [], []
    with Client(address) as client:
        client.list_skills()  # connect first, as a dialog engine has long done
        for text in UTTERANCES:
            start = time.perf_counter()
            results.append(client.parse(ParseRequest(text, n_best=_N_BEST)))
            milliseconds.append(1e3 * (time.perf_counter() - start))
    return results, milliseconds


@contextmanager
def _server(folder: Path, cache: Path | None, threads: int) -> Iterator[str]:
    """Run `softspoken serve` as a process of its own, yield its address, and stop it as an operator would.

    Raises:
        SoftspokenError: it does not start, or does not stop with 0.
    """
    log = folder / "server.log"
    options = ["--catalog", _catalog(folder), "--address", "127.0.0.1:0", "--threads", str(threads)]
    if cache is not None:
        options += ["--cache-dir", str(cache.resolve())]
    # In the source tree, as `training` may not be installed; what a softspoken.toml says is not for a demo.
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "serve", *options]
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
