"""The assistant of examples/rasa on a real Rasa: its files fit together, and its demo has what to say.

Its skills are trained by its own script, in fewer steps: what they understand is not tested here.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from examples.rasa import demo
from tests.acceptance.test_rasa import environment
from tests.rasa.assistant import Assistant, Project
from tests.rasa.environment import ACTIONS, RASA
from training.cli.background_server import background_server

STEPS = ("--set", "min_steps=4", "--set", "max_steps=4")

pytestmark = [
    pytest.mark.timeout(1800),  # the first run installs Rasa
]


@pytest.fixture(scope="module")
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The example with a model, and the service that it needs."""
    python = environment(request, RASA)
    folder = tmp_path_factory.mktemp("example")
    catalog = f"sqlite:///{folder / 'catalog.db'}"
    demo.train_skills(catalog, folder / "training.log", *STEPS)
    with background_server(catalog, folder / "server.log", cache=None, threads=demo.THREADS) as address:
        project = Project.of(demo.EXAMPLE, folder / "project", python, address)
        demo.train_assistant(project)
        yield project


@pytest.fixture(scope="module")
def assistant(request: pytest.FixtureRequest, project: Project) -> Iterator[Assistant]:
    with project.acting(environment(request, ACTIONS)), project.serving(demo.MODEL) as assistant:
        yield assistant


def test_stories_rules_and_domain_agree(project: Project) -> None:
    found = project.run("-m", "rasa", "data", "validate")
    assert found.returncode == 0, found.stdout
    assert "No story structure conflicts found." in found.stdout


def test_a_form_is_confirmed_and_forgotten_or_given_up(assistant: Assistant) -> None:
    assert assistant.say("/transfer_money", "ann") == ["Who gets the money?"]
    assert assistant.say('/transfer_money{"person": "Petra"}', "ann") == ["How much?"]
    asked = assistant.say('/transfer_money{"amount": "50", "currency": "EUR"}', "ann")
    assert asked == ["50 EUR, recipient: Petra. Shall I send it?"]
    assert assistant.say('/deny{"amount": "60"}', "ann") == ["60 EUR, recipient: Petra. Shall I send it?"]
    assert assistant.say("/affirm", "ann") == ["Sent."]
    assert assistant.say("/transfer_money", "ann") == ["Who gets the money?"]
    assert assistant.say("/deny", "ann") == ["All right, nothing is done."]


def test_a_story_goes_on_anywhere_in_a_conversation(assistant: Assistant) -> None:
    assert assistant.say("/greet", "bob") != []
    assert assistant.say('/card_lost{"date": "today"}', "bob")[0].startswith("I have stopped the card.")
    assert assistant.say("/affirm", "bob") == ["It is on its way, three working days."]


def test_the_chat_of_the_demo(project: Project, assistant: Assistant) -> None:
    printed = io.StringIO()
    demo.chat(assistant, Console(file=printed, width=200))
    lines = printed.getvalue().splitlines()
    said = [line.removeprefix("You     ") for line in lines if line.startswith("You     ")]
    assert [text.split("   ")[0] for text in said] == [text for _, text in demo.TURNS]
    assert all(lines[lines.index(f"You     {text}") + 1].startswith("Marlow  ") for text in said)
    for log in ("rasa.log", "actions.log"):
        assert " ERROR " not in (project.folder / log).read_text(encoding="utf-8")
