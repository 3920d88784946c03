"""The way from Rasa's process to the service, over real gRPC."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from nlu.client_errors import (
    ClientError,
    DeadlineError,
    OverloadedError,
    UnauthenticatedError,
    UnavailableError,
    UnknownSkillError,
)
from nlu.client_types import ParseRequest, ParseResult
from nlu.rasa.breaker import FAILURES
from nlu.rasa.config import ADDRESS_VARIABLE, ConfigError, read_config
from nlu.rasa.service import BATCH, Service, service_of
from tests.rasa.scripted import ScriptedServicer, serving

ROOT = Path(__file__).parents[2]
FORK = """
import os, sys
from nlu.client_types import ParseRequest
from nlu.rasa.config import read_config
from nlu.rasa.service import service_of

def ask():
    config = read_config({"address": sys.argv[1], "timeout": 20})
    answer = service_of(config).parse([ParseRequest("hello")])[0]
    os.write(1, f"{type(answer).__name__}\\n".encode())  # one write: both processes may answer at once

ask()
child = os.fork()
ask()
if child:
    os.waitpid(child, 0)
"""
ASKED = ParseRequest("Paris please", skills=("concierge",))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS_VARIABLE, raising=False)


@pytest.fixture
def servicer() -> ScriptedServicer:
    return ScriptedServicer()


@pytest.fixture
def address(servicer: ScriptedServicer) -> Iterator[str]:
    with serving(servicer) as address:
        yield address


def service(address: str, **values: Any) -> Service:
    return Service(read_config({"address": address, "timeout": 20.0, "skills": ["concierge"], **values}))


def ask(asked: Service) -> ParseResult | ClientError:
    [answer] = asked.parse([ASKED])
    return answer


def until_answered(asked: Service) -> None:
    pause = threading.Event()
    while not isinstance(ask(asked), ParseResult):
        pause.wait(0.05)


def test_one_message_is_parsed_and_several_are_a_batch(servicer: ScriptedServicer, address: str) -> None:
    asked = service(address)
    assert isinstance(ask(asked), ParseResult)
    assert servicer.parsed[0].skills[0].name == "concierge"
    answers = asked.parse([ASKED] * (BATCH + 2))
    assert len(answers) == BATCH + 2
    assert servicer.batches == [BATCH, 2]
    assert asked.parse([]) == []


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.NOT_FOUND, UnknownSkillError),
        (grpc.StatusCode.UNAUTHENTICATED, UnauthenticatedError),
    ],
)
def test_a_refusal_is_an_answer(
    servicer: ScriptedServicer, address: str, code: grpc.StatusCode, kind: type[ClientError]
) -> None:
    servicer.code = code
    asked = service(address)
    assert {type(ask(asked)) for _ in range(2 * FAILURES)} == {kind}
    assert len(servicer.parsed) == 2 * FAILURES
    servicer.code = None
    assert isinstance(ask(asked), ParseResult)


def test_an_overloaded_service_is_left_in_peace_until_a_probe_is_answered(
    servicer: ScriptedServicer, address: str
) -> None:
    servicer.code = grpc.StatusCode.RESOURCE_EXHAUSTED
    asked = service(address)
    assert {type(ask(asked)) for _ in range(50)} == {OverloadedError}
    assert [request.text for request in servicer.parsed].count(ASKED.text) == FAILURES  # others are probes
    servicer.code = None
    until_answered(asked)


def test_a_late_answer_is_a_failure(servicer: ScriptedServicer, address: str) -> None:
    release = threading.Event()
    refuse = servicer._refuse
    servicer._refuse = lambda context: (release.wait(60), refuse(context))[1]  # type: ignore[method-assign]
    asked = service(address, timeout=0.2)
    try:
        assert isinstance(ask(asked), DeadlineError)
    finally:
        release.set()
    until_answered(asked)


def test_a_service_that_comes_back_is_found(servicer: ScriptedServicer) -> None:
    with serving(servicer) as address:
        asked = service(address)
        assert isinstance(ask(asked), ParseResult)
    assert {type(ask(asked)) for _ in range(5)} == {UnavailableError}
    with serving(servicer, address):
        until_answered(asked)


def test_the_skills_of_now(servicer: ScriptedServicer, address: str) -> None:
    servicer.version.version = 7
    assert [each.skill.version for each in service(address).skills()] == [7]
    assert [each.skill.name for each in service(address, skills=[]).skills()] == ["concierge"]
    with pytest.raises(UnknownSkillError):
        service(address, skills=["other"]).skills()


def test_a_tls_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.pem"):
        service("127.0.0.1:1", tls_ca="nowhere.pem")


def test_one_channel_a_process(address: str) -> None:
    config = read_config({"address": address, "timeout": 20.0})
    assert service_of(config) is service_of(read_config({"address": address, "timeout": 20.0}))
    assert service_of(config) is not service_of(read_config({"address": address, "timeout": 19.0}))


def test_a_fork_has_a_channel_of_its_own(servicer: ScriptedServicer, address: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FORK, address], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert run.stdout.splitlines() == ["ParseResult", "ParseResult", "ParseResult"], run.stderr
    assert len(servicer.parsed) == 3
