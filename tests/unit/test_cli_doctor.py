from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nlu.cache import default_cache
from storage.catalog import Catalog
from training.cli.program import program


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CACHE_DIR", os.environ.get("SOFTSPOKEN_CACHE_DIR") or str(default_cache()))
    monkeypatch.setenv("SOFTSPOKEN_PRECISION", "float32")
    Path("softspoken.toml").write_text("[serve]\naddress = '127.0.0.1:0'\n")
    Catalog.open("sqlite:///softspoken.db").close()


def run(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(program, ("doctor", *arguments), env=dict(variables), prog_name="softspoken")


def found(result: Result) -> dict[str, Any]:
    return {each["check"]: each for each in json.loads(result.stdout)}


def test_all_is_well() -> None:
    result = run()

    assert result.exit_code == 0, result.stdout
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["check", "state", "found", "what", "to", "do"]
    assert next(line for line in lines if line.startswith("catalog ")).split()[1] == "ok"


def test_a_problem_ends_it_with_1_and_comes_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = run("--json", SOFTSPOKEN_SERVE_ADDRESS=address)

    port = found(result)["port"]
    assert (result.exit_code, port["state"], address in port["found"]) == (1, "problem", True)
    assert "--address" in port["remedy"]


def test_options_come_from_where_serve_has_them() -> None:
    assert found(run("--json"))["port"]["found"] == "127.0.0.1:0 is free"  # softspoken.toml, [serve]
    assert found(run("--json", "--address", "[::1]:0"))["port"]["found"] == "[::1]:0 is free"


def test_settings_that_serve_refuses_are_refused() -> None:
    result = run("--address", "0.0.0.0:0")

    assert result.exit_code == 2
    assert "there is no TLS" in result.stderr
