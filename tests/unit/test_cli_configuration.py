from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from skills.errors import InputError
from training.cli import train as train_module
from training.cli.configuration import read_configuration
from training.cli.program import program
from training.cli.tuning import Tuned, Tuning


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no variables of ours."""
    monkeypatch.chdir(tmp_path)
    for name in ("CATALOG", "CONFIG", "THREADS", "CACHE_DIR", "TRAIN_SEED"):
        monkeypatch.delenv(f"SOFTSPOKEN_{name}", raising=False)
    return tmp_path


def run(*arguments: str, **variables: str) -> Result:
    return CliRunner().invoke(program, arguments, env=dict(variables), prog_name="softspoken")


def write(text: str, name: str = "softspoken.toml") -> Path:
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def tunings(monkeypatch: pytest.MonkeyPatch) -> list[Tuning]:
    """What the train command would have run."""
    asked: list[Tuning] = []

    def run_tuning(tuning: Tuning) -> Tuned:
        asked.append(tuning)
        raise InputError("asked")

    monkeypatch.setattr(train_module, "run_tuning", run_tuning)
    return asked


@pytest.mark.parametrize(
    ("arguments", "variables", "file", "used"),
    [
        ([], {}, "", "softspoken.db"),
        ([], {}, "catalog = 'sqlite:///file.db'", "file.db"),
        ([], {"SOFTSPOKEN_CATALOG": "sqlite:///env.db"}, "catalog = 'sqlite:///file.db'", "env.db"),
        (
            ["--catalog", "sqlite:///line.db"],
            {"SOFTSPOKEN_CATALOG": "sqlite:///env.db"},
            "catalog = 'sqlite:///file.db'",
            "line.db",
        ),
    ],
)
def test_precedence_of_a_shared_option(
    arguments: list[str], variables: dict[str, str], file: str, used: str
) -> None:
    write(file)

    result = run("skills", "list", *arguments, **variables)

    assert f"there is no catalog sqlite:///{used}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "file", "seed"),
    [
        ([], {}, "", 13),
        ([], {}, "[train]\nseed = 1", 1),
        ([], {"SOFTSPOKEN_TRAIN_SEED": "2"}, "[train]\nseed = 1", 2),
        (["--seed", "3"], {"SOFTSPOKEN_TRAIN_SEED": "2"}, "[train]\nseed = 1", 3),
    ],
)
def test_precedence_of_an_option_of_one_command(
    tunings: list[Tuning], arguments: list[str], variables: dict[str, str], file: str, seed: int
) -> None:
    write(file)

    run("train", "x", "--kind", "intent", "--data", "f.jsonl", *arguments, **variables)

    assert tunings[0].config.seed == seed


def test_a_shared_option_has_one_variable(tunings: list[Tuning]) -> None:
    run("train", "x", "--kind", "intent", "--data", "f", SOFTSPOKEN_TRAIN_CATALOG="a", SOFTSPOKEN_CATALOG="b")

    assert tunings[0].catalog == "b"


@pytest.mark.parametrize(
    ("variables", "used"),
    [
        ({"SOFTSPOKEN_CATALOG_FILE": "secret"}, "there is no catalog sqlite:///secret.db"),
        ({"SOFTSPOKEN_CATALOG_FILE": "secret", "SOFTSPOKEN_CATALOG": "sqlite:///env.db"}, "sqlite:///env.db"),
        ({"SOFTSPOKEN_CATALOG_FILE": "empty"}, "there is no catalog sqlite:///softspoken.db"),
        (
            {"SOFTSPOKEN_CATALOG_FILE": "missing"},
            "CATALOG_FILE names missing, which cannot be read",
        ),
        ({"SOFTSPOKEN_SKILLS_LIST_JSON_FILE": "no"}, "'--json': 'no truth value' is not a valid boolean"),
    ],
)
def test_a_variable_can_name_a_file_with_the_value(variables: dict[str, str], used: str) -> None:
    write("sqlite:///secret.db\n", "secret")
    write("\n", "empty")
    write("no truth value", "no")

    result = run("skills", "list", **variables)

    assert used in result.stderr


def test_every_kind_of_value_in_the_file(tunings: list[Tuning]) -> None:
    write(
        """
        threads = 2
        cache-dir = "models"
        [train]
        kind = "intent"
        data = ["a.jsonl", "b.csv"]
        oos = "c.jsonl"
        promote = false
        set = { max_steps = 7, lexical = false, prompt-rate = 0.5 }
        """
    )

    run("train", "x")

    tuning = tunings[0]
    assert (tuning.threads, tuning.cache, tuning.promote) == (2, Path("models"), False)
    assert (tuning.files.paths, tuning.oos) == ((Path("a.jsonl"), Path("b.csv")), (Path("c.jsonl"),))
    config = tuning.config.model_dump()
    assert (config["max_steps"], config["lexical"], config["prompt_rate"]) == (7, False, 0.5)


def test_variables_of_repeated_options_and_flags(tunings: list[Tuning]) -> None:
    run(
        *["train", "x", "--kind", "intent"],
        SOFTSPOKEN_TRAIN_DATA="a.jsonl:b.jsonl",
        SOFTSPOKEN_TRAIN_SET="max_steps=7 lexical=false",
        SOFTSPOKEN_TRAIN_PROMOTE="0",
        SOFTSPOKEN_TRAIN_OOS="",
    )

    tuning = tunings[0]
    assert (tuning.files.paths, tuning.oos) == ((Path("a.jsonl"), Path("b.jsonl")), ())
    config = tuning.config.model_dump()
    assert (config["max_steps"], config["lexical"], tuning.promote) == (7, False, False)


def test_another_file_is_used_instead(tunings: list[Tuning]) -> None:
    write("[train]\nseed = 1")
    other = write("[train]\nseed = 2\nkind = 'intent'\ndata = 'f.jsonl'", "other.toml")

    run("--config", str(other), "train", "x")
    run("train", "x", SOFTSPOKEN_CONFIG=str(other))

    assert [tuning.config.seed for tuning in tunings] == [2, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("catalogue = 'x'", "unknown key 'catalogue'; did you mean 'catalog'?"),
        ("[train]\nsed = 1", "unknown key 'train.sed'; did you mean 'train.seed'?"),
        (
            "seed = 1",
            "unknown key 'seed'; did you mean 'train.seed' or 'jobs.submit.seed' or 'corrupt.seed'?",
        ),
        ("[train]\ncatalog = 'x'", "unknown key 'train.catalog'; did you mean 'catalog'?"),
        ("[trian]", "unknown key 'trian'"),
        ("[zzz.qqq]\nx = 1", "unknown key 'zzz.qqq.x'"),
        ("catalog = ['a']", "catalog is ['a']: write a single value"),
        ("threads = 2026-01-01", "write a single value"),
        (
            "[train]\ndata = [['a']]",
            "train.data is [['a']]: write a string, a number, a truth",
        ),
        ("catalog = ", "softspoken.toml is not TOML"),
    ],
)
def test_a_wrong_file_is_refused(text: str, message: str) -> None:
    path = write(text)

    with pytest.raises(InputError) as refused:
        read_configuration(path, program)

    assert message in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_utf8_is_refused() -> None:
    Path("softspoken.toml").write_bytes(b"catalog = '\xff'")

    result = run("db", "status")

    assert (result.exit_code, result.stderr) == (
        2,
        "error: softspoken.toml is not UTF-8 (byte 11): save it as UTF-8\n",
    )


@pytest.mark.parametrize(
    ("variables", "file", "origin"),
    [
        ({"SOFTSPOKEN_TRAIN_SEED": "x"}, "", "(set in the environment)"),
        ({}, "[train]\nseed = 'x'", "(set in softspoken.toml)"),
        ({}, "[train]\nmethod = 'x'", "(set in softspoken.toml)"),
    ],
)
def test_a_bad_value_says_where_it_was_set(variables: dict[str, str], file: str, origin: str) -> None:
    write(file)

    result = run("train", "x", "--kind", "intent", "--data", "f.jsonl", **variables)

    assert result.exit_code == 2
    assert origin in result.stderr


def test_subcommands_have_tables_of_their_own() -> None:
    defaults: dict[str, Any] = read_configuration(write("[skills.delete]\nyes = true"), program)

    assert defaults == {"skills": {"delete": {"yes": True}}}
