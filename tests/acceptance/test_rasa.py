"""A real Rasa 3.6 with our component in its pipeline, and our real server: trained, talked to, cut off.

Rasa is in an environment of its own (tests/rasa/environment.py), which the first run has to make.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.rasa.assistant import DATA, ROOT, SECONDS, Assistant, Project, free_port
from tests.rasa.environment import ACTIONS, RASA, EnvironmentUnavailableError, python_of

CONCIERGE = ROOT / "examples" / "concierge"
CONVERSATIONS = 20
RASA_CHECKS = 11  # in tests/rasa/inside.py
ACTION_CHECKS = 8  # in tests/rasa/inside_sdk.py

pytestmark = [
    pytest.mark.timeout(1800),  # the first run installs Rasa
]


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest) -> Path:
    return environment(request, RASA)


@pytest.fixture(scope="module")
def actions_python(request: pytest.FixtureRequest) -> Path:
    return environment(request, ACTIONS)


def environment(request: pytest.FixtureRequest, name: str) -> Path:
    try:
        return python_of(name)
    except EnvironmentUnavailableError as error:
        terminal: Any = request.config.pluginmanager.get_plugin("terminalreporter")
        terminal.write_line(f"\nNOT TESTED WITH {name.upper()}: {error}", red=True, bold=True)
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A catalog with the live skill `concierge`, trained on the project's own NLU data."""
    url = f"sqlite:///{tmp_path_factory.mktemp('catalog') / 'catalog.db'}"
    softspoken(
        *["train", "concierge", "--kind", "intent+slots", "--data", str(DATA), "--catalog", url],
        *["--oos", str(CONCIERGE / "out_of_scope.jsonl"), "--slot-types", str(CONCIERGE / "slot_types.toml")],
        *["--set", "min_steps=40", "--set", "max_steps=40", "--set", "in_scope_kept=0.7"],
    )
    return url


def softspoken(*arguments: str) -> None:
    command = [sys.executable, "-m", "training.cli", *arguments]
    subprocess.run(command, cwd=ROOT, env=variables(), check=True, timeout=SECONDS, stderr=subprocess.DEVNULL)


def variables() -> dict[str, str]:
    return os.environ | {"SOFTSPOKEN_THREADS": "1", "SOFTSPOKEN_PRECISION": "float32", "OMP_NUM_THREADS": "1"}


class Service:
    """Our server as a process, which a test may stop and start again."""

    def __init__(self, catalog: str) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._command = [sys.executable, "-m", "training.cli", "serve", "--catalog", catalog]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [*self._command, "--address", self.address]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=variables(), stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("serving on ")

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.communicate(timeout=SECONDS)


@pytest.fixture(scope="module")
def service(catalog: str) -> Iterator[Service]:
    service = Service(catalog)
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def project(python: Path, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a model."""
    project = Project.copied(tmp_path_factory.mktemp("rasa") / "project", python, service.address)
    trained = project.run("-m", "rasa", "train", "--fixed-model-name", "full")
    assert trained.returncode == 0, trained.stdout
    return project


@pytest.fixture(scope="module")
def assistant(project: Project, actions_python: Path) -> Iterator[Assistant]:
    with project.acting(actions_python), project.serving("full") as assistant:
        yield assistant


def until_understood(assistant: Assistant) -> None:
    pause = threading.Event()
    while assistant.parse("Do you sell Moroccan dirham?")["softspoken"]["outcome"] == "failed":
        pause.wait(0.1)


def test_the_component_inside_rasa(python: Path, tmp_path: Path) -> None:
    assert checks(python, tmp_path, "tests.rasa.inside") == RASA_CHECKS


def test_the_actions_inside_rasa_sdk(actions_python: Path, tmp_path: Path) -> None:
    assert checks(actions_python, tmp_path, "tests.rasa.inside_sdk") == ACTION_CHECKS


def checks(python: Path, folder: Path, module: str) -> int:
    """Run the checks of a module, and return how many passed."""
    found = Project.copied(folder / "project", python, "").run("-m", module)
    assert found.returncode == 0, found.stdout
    return sum(line.startswith("check_") for line in found.stdout.splitlines())


def test_training_without_a_service_says_so(python: Path, tmp_path: Path) -> None:
    project = Project.copied(tmp_path / "project", python, "127.0.0.1:1")
    trained = project.run("-m", "rasa", "train", "nlu")
    assert trained.returncode == 1
    assert (
        "InvalidConfigException: SoftspokenNLU: softspoken at 127.0.0.1:1 must be running" in trained.stdout
    )


def test_parse_over_http(assistant: Assistant) -> None:
    found = assistant.parse("  😀 Do you sell Moroccan dirham? ")
    assert found["intent"]["name"] == "currency_exchange"
    assert found["intent_ranking"][0] == found["intent"]
    [currency] = found["entities"]
    assert (currency["entity"], currency["raw"], currency["value"]) == ("currency", "Moroccan dirham", "MAD")
    assert found["text"][currency["start"] : currency["end"]] == "Moroccan dirham"
    assert (found["softspoken"]["outcome"], found["softspoken"]["skills"]) == ("matched", ["concierge@1"])
    roles = {
        each.get("role"): each["raw"]
        for each in assistant.parse("need a plane from Oslo to Bergen")["entities"]
    }
    assert roles == {"origin": "Oslo", "destination": "Bergen"}


def test_what_is_out_of_scope_is_rasas_fallback(assistant: Assistant) -> None:
    found = assistant.parse("xyzzy plugh")
    assert (found["intent"]["name"], found["softspoken"]["outcome"]) == ("nlu_fallback", "out-of-scope")
    assert len(found["intent_ranking"]) == 5
    assert assistant.say("xyzzy plugh", "lost") == ["Could you say that another way?"]


def test_a_form_takes_a_bare_answer_and_asks_again_for_one_that_does_not_fit(assistant: Assistant) -> None:
    assert assistant.say("find a hotel near the station in Milan", "ann") == ["Which day do you arrive?"]
    asked_again = ["A day such as Friday, please.", "Which day do you arrive?"]
    assert assistant.say("purple elephants", "ann") == asked_again
    [booked] = assistant.say("Friday", "ann")
    assert booked.startswith("A room in Milan from 20")


def test_twenty_conversations_at_once(assistant: Assistant) -> None:
    cities = ("Milan", "Vienna", "Lisbon", "Naples")

    def talk(number: int) -> list[str]:
        city, sender = cities[number % len(cities)], f"guest-{number}"
        asked = assistant.say(f'/book_hotel{{"city": "{city}"}}', sender)
        return [
            *asked,
            *assistant.say("Friday", sender),
            *assistant.say("Do you sell Moroccan dirham?", sender),
        ]

    with ThreadPoolExecutor(CONVERSATIONS) as guests:
        for number, said in enumerate(guests.map(talk, range(CONVERSATIONS))):
            assert said[0] == "Which day do you arrive?"
            assert said[1].startswith(f"A room in {cities[number % len(cities)]} from 20")
            assert said[2:] == ["Rates change every minute."]


def test_a_service_that_stops_and_comes_back_in_a_dialogue(
    project: Project, service: Service, assistant: Assistant
) -> None:
    assert assistant.say("/book_hotel", "bob") == ["Which city?"]
    service.stop()
    for _ in range(5):
        found = assistant.parse("Friday")
        assert (found["intent"]["name"], found["softspoken"]["outcome"]) == ("nlu_fallback", "failed")
        assert found["softspoken"]["reason"] == "UnavailableError"
    assert assistant.say("accommodation in Naples", "bob") == [
        "Could you say that another way?",
        "Which city?",
    ]
    service.start()
    until_understood(assistant)
    assert assistant.say("accommodation in Naples", "bob") == ["Which day do you arrive?"]
    [booked] = assistant.say("Friday", "bob")
    assert booked.startswith("A room in Naples from ")
    log = (project.folder / "rasa.log").read_text(encoding="utf-8")
    assert 1 <= log.count(f"softspoken at {service.address}: UnavailableError") < 6  # not one a message


def test_rasa_train_nlu_and_test_nlu_report_intents_and_entities(project: Project) -> None:
    trained = project.run("-m", "rasa", "train", "nlu", "--fixed-model-name", "nlu")
    assert trained.returncode == 0, trained.stdout
    tested = project.run(
        *["-m", "rasa", "test", "nlu", "--nlu", "data/travel.yml", "--model", "models/nlu.tar.gz"],
        *["--out", "results", "--no-plot"],
    )
    assert tested.returncode == 0, tested.stdout
    intents, entities = (report(project, name) for name in ("intent_report", "SoftspokenNLU_report"))
    assert intents["accuracy"] > 0.9  # rows that it has learned
    assert {"city", "city.origin", "city.destination", "date"} <= set(entities)
    assert entities["micro avg"]["f1-score"] > 0.9


def report(project: Project, name: str) -> Any:
    return json.loads((project.folder / "results" / f"{name}.json").read_text(encoding="utf-8"))
