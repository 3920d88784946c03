from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skills.api_key import Scope, Token
from storage.catalog import Catalog
from training.cli.program import program


@pytest.fixture(autouse=True)
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """A catalog that the commands use without being told to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", "sqlite:///here.db")
    catalog = Catalog.open("sqlite:///here.db")
    yield catalog
    catalog.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments, prog_name="softspoken")


def created(*arguments: str) -> Token:
    """The key that a command wrote to standard output, and nothing else there."""
    result = run("keys", "create", *arguments)
    assert result.exit_code == 0, result.stderr
    token = Token.parse(result.stdout.removesuffix("\n"))
    assert token is not None
    assert token.secret.hex() not in result.stderr
    return token


def test_a_key_is_shown_once_and_works(catalog: Catalog) -> None:
    token = created("dialog", "--scope", "parse")
    (key,) = catalog.keys.all()
    assert key.has_secret(token.secret)
    assert (key.name, set(key.scopes), key.rate, key.expires_at) == ("dialog", {Scope.PARSE}, None, None)
    assert not key.skills


def test_no_list_and_no_history_shows_a_secret_or_a_hash(catalog: Catalog) -> None:
    token = created("dialog", "--scope", "parse")
    (key,) = catalog.keys.all()
    for command in (("keys", "list"), ("keys", "list", "--json"), ("history", "--json"), ("history",)):
        result = run(*(command if command[0] == "keys" else ("skills", *command)))
        assert result.exit_code == 0, result.stderr
        assert token.id in result.stdout
        for secret in (token.secret, key.digest, key.salt):
            assert secret.hex() not in result.output


def test_a_key_may_be_bounded_in_all_ways(catalog: Catalog) -> None:
    now = datetime.now(UTC)
    options = ("--expires", "90d", "--skills", "banking, travel", "--rate", "30/m")
    created("trainer", "--scope", "train", "--scope", "admin", *options)
    (key,) = catalog.keys.all()
    assert set(key.scopes) == {Scope.TRAIN, Scope.ADMIN}
    assert (set(key.skills), key.rate) == ({"banking", "travel"}, 0.5)
    assert key.expires_at is not None
    assert timedelta(0) <= key.expires_at - now - timedelta(days=90) < timedelta(minutes=5)
    (listed,) = json.loads(run("keys", "list", "--json").stdout)
    times = {name: listed.pop(name) for name in ("created_at", "expires_at", "revoked_at", "used_at")}
    assert times["expires_at"] == key.expires_at.isoformat()
    assert (times["revoked_at"], times["used_at"]) == (None, None)
    assert listed == {
        "name": "trainer",
        "id": key.id,
        "state": "in force",
        "scopes": ["admin", "train"],
        "skills": ["banking", "travel"],
        "rate": 0.5,
    }
    assert "banking travel  0.5/s" in run("keys", "list").stdout


def test_a_skill_that_is_not_there_is_warned_of() -> None:
    result = run("keys", "create", "dialog", "--scope", "parse", "--skills", "bankign")
    assert result.exit_code == 0
    assert "there is no skill bankign yet" in result.stderr


def test_a_key_is_revoked_for_good(catalog: Catalog) -> None:
    created("dialog", "--scope", "parse")
    assert run("keys", "revoke", "dialog").stdout == "dialog was revoked\n"
    assert "revoked" in run("keys", "list").stdout
    (key,) = catalog.keys.all()
    assert key.revoked_at is not None
    assert "create key" in run("skills", "history").stdout
    assert "revoke key" in run("skills", "history").stdout


def test_no_keys_is_said() -> None:
    result = run("keys", "list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "there are no keys" in result.stderr
    assert run("keys", "list", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "dialog"), "Missing option '--scope'"),
        (("create", "dialog", "--scope", "root"), "'root' is not one of"),
        (("create", "Dialog Engine", "--scope", "parse"), "key name 'Dialog Engine' is not valid"),
        (("create", "dialog", "--scope", "parse", "--skills", "No Name"), "'No Name' is not valid"),
        (("create", "dialog", "--scope", "parse", "--expires", "soon"), "write 90d, 12h or 30m"),
        (("create", "dialog", "--scope", "parse", "--expires", "0d"), "write 90d, 12h or 30m"),
        (("create", "dialog", "--scope", "parse", "--rate", "100"), "write 100/s, 30/m or 10/h"),
        (("create", "dialog", "--scope", "parse", "--rate", "0/s"), "rate 0 is not above 0"),
        (("create", "taken", "--scope", "parse"), "there is a key 'taken' already"),
        (("revoke", "nobody"), "there is no key 'nobody'"),
    ],
)
def test_wrong_input_says_what_to_do(arguments: tuple[str, ...], message: str) -> None:
    created("taken", "--scope", "parse")
    result = run("keys", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (("parse", "hello", "--server", "localhost:1", "--api-key"), "SOFTSPOKEN_API_KEY"),
        (("serve", "--http-token"), "SOFTSPOKEN_SERVE_HTTP_TOKEN"),
    ],
)
def test_a_secret_is_not_taken_from_the_command_line(arguments: tuple[str, ...], variable: str) -> None:
    result = run(*arguments, "ssk_secret")
    assert result.exit_code == 2
    assert f"set {variable}, or" in result.stderr
    assert "ssk_secret" not in result.output
