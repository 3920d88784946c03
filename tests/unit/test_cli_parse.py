from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nlu.client import Tls
from nlu.client_types import (
    Intent,
    Outcome,
    ParseRequest,
    ParseResult,
    SkillKind,
    SkillResult,
    SkillVersion,
    Timings,
)
from nlu.server_settings import ServerSettings
from storage.catalog import Catalog
from training.cli import parse as parse_module
from training.cli.program import program


@dataclass
class Asked:
    """Stands in for a server and for the engine, and remembers what they were asked."""

    places: list[str] = field(default_factory=list)
    tls: Tls | None = None
    api_key: str = ""
    settings: ServerSettings | None = None
    requests: Sequence[ParseRequest] = ()

    def ask_server(
        self, requests: Sequence[ParseRequest], address: str, *, tls: Tls | None = None, api_key: str = ""
    ) -> list[ParseResult]:
        self.places.append(address)
        self.api_key = api_key
        self.requests, self.tls = requests, tls
        return [_answer(request) for request in requests]

    def ask_catalog(self, requests: Sequence[ParseRequest], settings: ServerSettings) -> list[ParseResult]:
        self.places.append(settings.catalog)
        self.requests, self.settings = requests, settings
        return [_answer(request) for request in requests]


def _answer(request: ParseRequest) -> ParseResult:
    version = SkillVersion("banking", 1, "f" * 64)
    answer = SkillResult(version, SkillKind.INTENT, Outcome.MATCHED, (Intent("freeze_card", 0.9),), 0.9)
    return ParseResult("r", (answer,), (0, len(request.text)), "b" * 64, Timings(0, 0, 0, 0))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    monkeypatch.chdir(tmp_path)
    for name in ("CATALOG", "SERVER"):
        monkeypatch.delenv(f"SOFTSPOKEN_{name}", raising=False)
    Catalog.open("sqlite:///softspoken.db").close()
    asked = Asked()
    monkeypatch.setattr(parse_module, "ask_server", asked.ask_server)
    monkeypatch.setattr(parse_module, "ask_catalog", asked.ask_catalog)
    return asked


def run(*arguments: str, stdin: bytes | None = None, variables: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(program, ["parse", *arguments], input=stdin, env=variables)


@pytest.mark.parametrize(
    ("arguments", "variables", "file", "place"),
    [
        ([], {}, "", "sqlite:///softspoken.db"),
        (["--server", "line:1"], {}, "", "line:1"),
        ([], {"SOFTSPOKEN_SERVER": "env:1"}, "", "env:1"),
        ([], {}, "server = 'file:1'", "file:1"),
        (["--server", "line:1"], {"SOFTSPOKEN_CATALOG": "sqlite:///env.db"}, "", "line:1"),
        (
            ["--catalog", "sqlite:///softspoken.db"],
            {"SOFTSPOKEN_SERVER": "env:1"},
            "server = 'file:1'",
            "sqlite:///softspoken.db",
        ),
    ],
)
def test_who_is_asked(
    asked: Asked, arguments: list[str], variables: dict[str, str], file: str, place: str
) -> None:
    Path("softspoken.toml").write_text(file)

    result = run("hello", *arguments, variables=variables)

    assert result.exit_code == 0, result.stderr
    assert asked.places == [place]


def test_server_and_catalog_exclude_each_other(asked: Asked) -> None:
    result = run("hello", "--server", "a:1", "--catalog", "sqlite:///softspoken.db")

    assert result.exit_code == 2
    assert "--server and --catalog exclude each other" in result.stderr
    assert asked.places == []


def test_skills_and_ranking_are_passed_on(asked: Asked) -> None:
    run("hello", "--skills", "banking, travel@3,x@candidate", "--n-best", "2", "--server", "a:1")

    assert asked.requests == [ParseRequest("hello", ("banking", "travel@3", "x@candidate"), n_best=2)]


def test_context_and_correction_are_passed_on(asked: Asked) -> None:
    run("six", "--expected-slots", "time, people", "--correct-grammar", "--explain", "--server", "a:1")

    assert asked.requests == [
        ParseRequest("six", n_best=5, expected_slots=("time", "people"), correct_grammar=True, explain=True)
    ]


def test_settings_of_the_engine_reach_it(asked: Asked) -> None:
    run("hello", "--threads", "1", "--engine", "torch", "--precision", "float32", "--cache-dir", "models")

    settings = asked.settings
    assert settings is not None
    assert (settings.threads, settings.engine, settings.precision) == (1, "torch", "float32")
    assert settings.cache == Path("models")


@pytest.mark.parametrize(
    ("arguments", "tls"),
    [
        ([], None),
        (["--tls"], Tls()),
        (["--tls-ca", "ca.pem"], Tls(ca=Path("ca.pem"))),
        (["--tls-certificate", "c.pem", "--tls-key", "k.pem"], Tls(None, Path("c.pem"), Path("k.pem"))),
    ],
)
def test_tls(asked: Asked, arguments: list[str], tls: Tls | None) -> None:
    run("hello", "--server", "a:1", *arguments)

    assert asked.tls == tls


def test_standard_input_is_read_line_by_line(asked: Asked) -> None:
    result = run("first", "-", "last", "--json", stdin="zwei ☕\r\n\nvier".encode())

    texts = [answer["text"] for answer in json.loads(result.stdout)]
    assert texts == ["first", "zwei ☕", "", "vier", "last"]
    assert [request.text for request in asked.requests] == texts


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["-"], b"", "standard input is empty"),
        (["-"], b"fine\ncaf\xe9\n", "line 2 is not UTF-8"),
        (["caf\udce9"], None, "is not UTF-8"),
        (["hello", "--skills", "Not A Name"], None, "skill name 'Not A Name' is not valid"),
        (["hello", "--n-best", "0"], None, "0 is not in the range 1<=x<=100"),
        ([], None, "Missing argument 'TEXT...'"),
    ],
)
def test_bad_input_ends_with_2(asked: Asked, arguments: list[str], stdin: bytes | None, message: str) -> None:
    result = run(*arguments, stdin=stdin)

    assert result.exit_code == 2
    assert message in result.stderr
    assert asked.places == []


def test_a_catalog_that_is_not_there_is_told_before_the_model_is_loaded(asked: Asked) -> None:
    result = run("hello", "--catalog", "sqlite:///none.db")

    assert result.exit_code == 1
    assert "there is no catalog sqlite:///none.db" in result.stderr
    assert asked.places == []


@pytest.mark.parametrize(
    ("variables", "file", "api_key"),
    [
        ({}, "", ""),
        ({"SOFTSPOKEN_API_KEY": "ssk_variable"}, "", "ssk_variable"),
        ({}, "api_key = 'ssk_file'", "ssk_file"),
    ],
)
def test_the_api_key_is_passed_on(asked: Asked, variables: dict[str, str], file: str, api_key: str) -> None:
    Path("softspoken.toml").write_text(file)
    run("hello", "--server", "a:1", variables=variables)
    assert asked.api_key == api_key
