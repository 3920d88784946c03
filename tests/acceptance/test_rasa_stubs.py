"""The stubs, the client and what runs in Rasa, on the oldest Python and protobuf that they are for.

The suite itself runs them on the newest release: nothing of ours holds protobuf back.
"""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from nlu.client import Client, ParseRequest
from tests.rasa.environment import STUBS, EnvironmentUnavailableError, python_of
from tests.rasa.scripted import ScriptedServicer, serving

ROOT = Path(__file__).parents[2]
SECONDS = 120.0

# What needs neither Rasa nor rasa-sdk; the text goes there and back, and a batch as Rasa would send it.
ASK = """
import sys
import google.protobuf
from nlu import training_client
from nlu.client import Client, ParseRequest
from nlu.rasa import answer, dialog, skills, training
from nlu.rasa.config import read_config
from nlu.rasa.service import service_of

address = sys.argv[1]
with Client(address) as client:
    [answered] = client.parse(ParseRequest("Zürich 😀", skills=("concierge@1",))).results
    print(google.protobuf.__version__, answered.skill.name, answered.slots[0].raw)
service = service_of(read_config({"address": address, "timeout": 20}))
for result in service.parse([ParseRequest("Paris"), ParseRequest("Milan")]):
    print(answer.ranking_of(result, 1)[0]["name"], answer.entities_of(result)[0]["value"])
"""

pytestmark = pytest.mark.timeout(900)  # the first run makes the environment


@pytest.fixture
def python(request: pytest.FixtureRequest) -> Path:
    try:
        return python_of(STUBS)
    except EnvironmentUnavailableError as error:
        terminal: Any = request.config.pluginmanager.get_plugin("terminalreporter")
        terminal.write_line(f"\nNOT TESTED ON PROTOBUF 4.23.3: {error}", red=True, bold=True)
        pytest.skip(str(error))


def test_protobuf_4_23_3(python: Path, tmp_path: Path) -> None:
    (tmp_path / "nlu").symlink_to(ROOT / "nlu")
    with serving(ScriptedServicer()) as address:
        asked = subprocess.run(
            [str(python), "-c", ASK, address],
            cwd=tmp_path,
            env={"PYTHONIOENCODING": "utf-8", "GRPC_VERBOSITY": "NONE"},
            timeout=SECONDS,
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines() == ["4.23.3 concierge Züric", "greet PARIS", "greet MILAN"]


def test_what_imports_rasa_is_python_3_8_too(python: Path) -> None:
    code = "import ast, sys; [ast.parse(open(name, encoding='utf-8').read()) for name in sys.argv[1:]]"
    subprocess.run([str(python), "-c", code, *map(str, (ROOT / "nlu" / "rasa").glob("*.py"))], check=True)


def test_the_protobuf_of_this_suite_is_new() -> None:
    assert int(version("protobuf").split(".")[0]) >= 7
    with serving(ScriptedServicer()) as address, Client(address) as client:
        [answered] = client.parse(ParseRequest("Zürich 😀", skills=("concierge@1",))).results
    assert answered.slots[0].raw == "Züric"
