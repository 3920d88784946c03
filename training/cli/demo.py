"""`softspoken demo`: the whole way once, from labeled utterances to answers over gRPC."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from nlu.client_types import ParseRequest
from skills.errors import InputError
from skills.skill import SkillKind
from training.cli.answers import answers_table
from training.cli.background_server import ROOT, background_server
from training.cli.labeled_files import LabeledFiles
from training.cli.options import FOLDER, process_options, setting
from training.cli.output import print_table
from training.cli.train import print_summary
from training.cli.tuning import Tuning, run_tuning

if TYPE_CHECKING:
    from training.config import TrainingConfig

EXAMPLES = Path("examples", "concierge")
SLOT_SETTINGS = {"min_steps": 250, "max_steps": 250}  # a little less time, and as good on so few rows
GRAMMAR_SETTINGS = {"min_steps": 20, "max_steps": 20}  # the packaged start knows English; it learns the bank
_N_BEST = 2
_MIN_CONFIDENCE = 0.6  # slots that are less sure are left out


def _question(text: str, *skills: str, expected: str = "") -> ParseRequest:
    return ParseRequest(
        text,
        skills,
        n_best=_N_BEST,
        min_confidence=_MIN_CONFIDENCE,
        expected_slots=(expected,) if expected else (),
    )


QUESTIONS = (  # none of them is in the training files; the last of the first is out of scope
    (
        "of every skill at once",
        (
            _question("can you get me on a plane from Oslo to NYC this Friday"),
            _question("my card vanished somewhere on the bus this morning"),
            _question("I has sent my landlord two hundred euros on Monday and it have not arrived"),
            _question("what is the best way to peel a mango"),
        ),
    ),
    (
        "a bare answer, if the dialog has asked for the time",
        (_question("7", "marlow-slots", expected="time"),),
    ),
    ("and if it has asked how many travel", (_question("7", "marlow-slots", expected="passengers"),)),
)


@click.command()
@setting(
    "--keep", type=FOLDER, metavar="DIR", help="Keep the catalog, the reports and the server's log there."
)
@process_options
def demo(keep: Path | None, cache_dir: Path | None, threads: int) -> None:
    """Train skills of intents, slots and grammar, serve them, ask them over gRPC, and stop.

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
    for tuning in _tunings(examples, folder, cache, threads):
        click.echo(f"1. train {tuning.kind} on {EXAMPLES / tuning.files.paths[0].name}")
        print_summary(run_tuning(tuning), promoted=True)
    trained = time.monotonic() - began
    click.echo("2. start the server")
    log = folder / "server.log"
    with background_server(_catalog(folder), log, cache=cache, threads=threads) as address:
        served = time.monotonic() - began - trained
        click.echo(f"   serving on {address} after {served:.1f} s\n3. ask it over gRPC")
        milliseconds = [each for title, requests in QUESTIONS for each in _ask(address, title, requests)]
    total = time.monotonic() - began
    click.echo(
        f"4. stopped it with SIGTERM\n{total:.0f} s in all: {trained:.0f} s training, "
        f"{served:.0f} s starting; answers in {min(milliseconds):.0f} to {max(milliseconds):.0f} ms"
    )


def _tunings(examples: Path, folder: Path, cache: Path | None, threads: int) -> list[Tuning]:
    from training.config import CorrectionConfig, SlotConfig, make_config

    def tuning(kind: SkillKind, data: str, config: TrainingConfig, **files: Any) -> Tuning:
        return Tuning(
            name=f"marlow-{data}",
            files=LabeledFiles((examples / f"{data}.jsonl",)),
            config=config,
            catalog=_catalog(folder),
            kind=kind,
            cache=cache,
            threads=threads,
            report=folder / f"{data}.html",
            **files,
        )

    heldout, oos = (examples / "intents_heldout.jsonl",), (examples / "out_of_scope.jsonl",)
    return [
        tuning(SkillKind.INTENT, "intents", make_config(), dev=heldout, oos=oos),
        tuning(
            SkillKind.SLOTS,
            "slots",
            SlotConfig.make(**SLOT_SETTINGS),
            slot_types=examples / "slot_types.toml",
        ),
        tuning(SkillKind.GRAMMAR, "grammar", CorrectionConfig.make(**GRAMMAR_SETTINGS)),
    ]


def _catalog(folder: Path) -> str:
    return f"sqlite:///{folder / 'softspoken.db'}"


def _ask(address: str, title: str, requests: Sequence[ParseRequest]) -> list[float]:
    """Print the answers, and return how long each took in milliseconds."""
    from nlu.client import Client

    results, milliseconds = [], []
    with Client(address) as client:
        client.list_skills()  # connect first, as a dialog engine has long done
        for request in requests:
            start = time.perf_counter()
            results.append(client.parse(request))
            milliseconds.append(1e3 * (time.perf_counter() - start))
    print_table(replace(answers_table([request.text for request in requests], results), title=title))
    return milliseconds
