"""`make rasa-demo`: trains Marlow, starts service, action server and Rasa, talks to them, and stops them all.

What it makes, logs and models included, lies in demo/rasa afterwards.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from skills.errors import SoftspokenError
from tests.rasa.assistant import Assistant, Project
from tests.rasa.environment import ACTIONS, RASA, EnvironmentUnavailableError, python_of
from training.cli.background_server import ROOT, background_server

EXAMPLE = Path(__file__).resolve().parent
FOLDER = ROOT / "demo" / "rasa"  # git ignores it
MODEL = "marlow"
GUEST = "guest"
TAIL = 15  # lines of a log that say why
THREADS = 1  # two are faster on an idle machine, but six times slower where another program has a core

TURNS = (  # what it shows, and what the user says; not in the training files, but for "4" and the two yes
    ("a form asks for what is missing", "book me a flight from Oslo to Lisbon"),
    ("a bare answer fills the slot asked for", "Friday"),
    ("a question in between, and back to the form", "how heavy can my suitcase be?"),
    ("another bare answer", "4"),
    ("a correction", "no, on Saturday"),
    ("", "yes please"),
    ("out of scope", "why is the sky blue?"),
    ("typos", "i losst my crad on the bus yesterday"),
    ("", "yes"),
    ("what is passed on is put right", "can I talk to a human?"),
    ("", "The hotel have billed me two time."),
    ("", "thanks, that is all"),
)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # unwinds, as Ctrl-C does
    try:
        run(Console(highlight=False, soft_wrap=True))
    except KeyboardInterrupt:
        print("interrupted, and stopped", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except (EnvironmentUnavailableError, SoftspokenError, AssertionError) as error:
        sys.exit(f"error: {error} (the logs are in {FOLDER})")


def run(console: Console) -> None:
    """Do it all once.

    Raises:
        EnvironmentUnavailableError: Rasa cannot be installed here.
        SoftspokenError: a training or the service failed.
        AssertionError: Rasa or its action server failed.
    """
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    catalog = f"sqlite:///{FOLDER / 'softspoken.db'}"
    with step(console, "Python environments of Rasa and its action server; the first time: 5 minutes, 3 GB"):
        rasa, actions = python_of(RASA), python_of(ACTIONS)
    with step(console, "train_skills.sh: intents, slots and grammar, in few steps"):
        train_skills(catalog, FOLDER / "training.log")
    with background_server(catalog, FOLDER / "server.log", cache=None, threads=THREADS) as address:
        project = Project.of(EXAMPLE, FOLDER / "project", rasa, address)
        with step(console, f"rasa train, with the service at {address}"):
            train_assistant(project)
        with project.acting(actions), project.serving(MODEL) as assistant:
            console.print("action server and Rasa are up\n")
            chat(assistant, console)
    console.print(f"\nall stopped; logs and models are in {FOLDER.relative_to(ROOT)}")


@contextmanager
def step(console: Console, title: str) -> Iterator[None]:
    """Say what is done now, and afterwards how long it took."""
    console.print(f"{title} ...", end="")
    began = time.monotonic()
    try:
        yield
    except BaseException:
        console.print()
        raise
    console.print(f" {time.monotonic() - began:.0f} s")


def train_skills(catalog: str, log: Path, *options: str) -> None:
    """Run train_skills.sh, and pass the options on to each training.

    Raises:
        SoftspokenError: it failed; says how its log ends.
    """
    beside = Path(sys.executable).parent  # `softspoken` need not be in the user's PATH
    variables = {
        "SOFTSPOKEN_CATALOG": catalog,
        "SOFTSPOKEN_THREADS": str(THREADS),
        "PATH": f"{beside}{os.pathsep}{os.environ['PATH']}",
    }
    command = ["sh", str(EXAMPLE / "train_skills.sh"), *options]
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603
            command, env=os.environ | variables, stdout=out, stderr=out, start_new_session=True
        )
        try:
            code = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)  # the script's own children, too
            process.wait()
            raise
    if code:
        raise SoftspokenError(f"train_skills.sh failed:\n{_tail(log.read_text())}")


def train_assistant(project: Project) -> None:
    """Run `rasa train`.

    Raises:
        SoftspokenError: it failed; says how its output ends.
    """
    trained = project.run("-m", "rasa", "train", "--fixed-model-name", MODEL)
    if trained.returncode:
        raise SoftspokenError(f"rasa train failed:\n{_tail(trained.stdout)}")


def _tail(log: str) -> str:
    return "\n".join(log.splitlines()[-TAIL:])


def chat(assistant: Assistant, console: Console) -> None:
    """Say the user's turns, and print who said what, with what was made of it."""
    for title, text in TURNS:
        if title:
            console.print(Text(f"# {title}", "italic dim"))
        replies = assistant.say(text, GUEST)
        reading = _reading(assistant.understood(GUEST))
        console.print(Text.assemble(("You     ", "bold cyan"), text, (f"   {reading}", "dim")))
        for reply in replies:
            console.print(Text.assemble(("Marlow  ", "bold green"), reply))


def _reading(found: dict[str, Any]) -> str:
    """Return the intent with its confidence, and the values found."""
    names = [f"{each['name']} {each['confidence']:.2f}" for each in found["intent_ranking"][:2]]
    unknown = found["softspoken"]["outcome"] == "out-of-scope"
    values = [
        f"{':'.join(filter(None, (each['entity'], each.get('role'))))}={each['value']}"
        for each in found["entities"]
    ]
    return ", ".join([f"out of scope ({names[1]})" if unknown else names[0], *values])


if __name__ == "__main__":
    main()
