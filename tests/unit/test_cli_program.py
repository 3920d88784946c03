from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from nlu import client_errors
from skills import errors
from storage.schema import upgrade
from training import cli
from training.cli import program as program_module
from training.cli.failures import ExitCode, exit_code
from training.cli.program import program
from training.config import CorrectionConfig, SlotConfig, TrainingConfig, TuningConfig

HEAVY = ("torch", "transformers", "sqlalchemy", "alembic", "sklearn", "numpy", "pydantic", "grpc", "openvino")


@pytest.fixture(autouse=True)
def empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, arguments, prog_name="softspoken")


def commands(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    found = [path]
    for name, command in group.commands.items():
        found += commands(command, *path, name) if isinstance(command, click.Group) else [(*path, name)]
    return found


@pytest.mark.parametrize("path", commands(program), ids=" ".join)
def test_every_command_has_help(path: tuple[str, ...]) -> None:
    result = run(*path, "--help")

    assert result.exit_code == 0
    assert " ".join(("Usage: softspoken", *path)) in result.stdout


def test_the_help_documents_precedence_and_all_exit_codes() -> None:
    text = run("--help").stdout

    assert "the command line; the environment; softspoken.toml; the default" in text
    for code in ExitCode:
        assert f"\n    {int(code)} " in text


def loaded_after(statement: str) -> set[str]:
    """Return the modules that a new Python has after a statement."""
    check = f"import sys, training.cli.program\n{statement}\nprint(*sys.modules, file=sys.stderr)"
    root = Path(cli.__file__).parents[2]

    ended = subprocess.run([sys.executable, "-c", check], cwd=root, capture_output=True, text=True)

    return {*ended.stderr.split()}


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_after("training.cli.program.program(['--help'], standalone_mode=False)")

    assert "training.cli.train" in loaded
    assert not {*HEAVY, "asyncio", "rapidfuzz", "rich.console"} & loaded


def test_listing_skills_loads_neither_other_commands_nor_the_migrations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    upgrade(url)

    arguments = ["skills", "list", "--catalog", url]
    loaded = loaded_after(f"training.cli.program.program({arguments}, standalone_mode=False)")

    others = {f"training.cli.{name}" for name in ("train", "serve", "parse", "compare", "trials")}
    assert "storage.catalog" in loaded
    assert not {*others, "alembic", "numpy", "torch", "grpc", "rapidfuzz", "rich.console"} & loaded


@pytest.mark.parametrize("name", ["method", "seed", "epochs", "prompt_length"])
def test_the_defaults_in_the_help_of_train_are_those_of_the_config(name: str) -> None:
    text = " ".join(run("train", "--help").stdout.split())
    option = text.partition(f"--{name.replace('_', '-')} ")[2].partition("[env var")[0]

    default = TuningConfig.model_fields[name].default
    shown = option.partition("[default: ")[2].partition("]")[0].split("; ")
    others: dict[str, type[TrainingConfig]] = {"slots": SlotConfig, "grammar": CorrectionConfig}
    different = {
        f"{kind} {config.model_fields[name].default}"
        for kind, config in others.items()
        if name in config.model_fields and config.model_fields[name].default != default
    }
    assert shown[0] == str(default)
    assert set(shown[1:]) == different


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'?; see softspoken --help"),
        (["train", "x", "--sed", "1"], "No such option '--sed'"),
        (["train", "x"], "Missing option '--kind'"),
        (
            ["train", "x", "--kind", "intent", "--data", "f", "--seed", "x"],
            "'x' is not a valid integer; see softspoken train",
        ),
        (["--config", "none.toml", "db", "status"], "none.toml cannot be read"),
        (["evaluate", "Not A Name", "--data", "f.jsonl"], "skill name 'Not A Name' is not valid"),
        (["skills", "promote", "banking"], "name the version to promote, such as banking@1"),
        (["serve", "--address", "0.0.0.0:1"], "address 0.0.0.0:1 can be reached from other machines"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_one_line(arguments: list[str], message: str) -> None:
    result = run(*arguments)

    assert result.exit_code == ExitCode.BAD_INPUT
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError("x"), 2),
        (errors.DataError("x", file="f", row=1), 2),
        (errors.UnknownSkillError("x"), 2),
        (errors.BackboneError("x"), 1),
        (errors.SkillRefusedError("x"), 1),
        (errors.CatalogError("x"), 1),
        (errors.SchemaError("x"), 1),
        (errors.OverloadedError("x", retry_after=1.0), 3),
        (errors.NotReadyError("x"), 3),
        (client_errors.InvalidRequestError("x"), 2),
        (client_errors.UnknownSkillError("x"), 2),
        (client_errors.SkillRefusedError("x"), 3),
        (client_errors.UnavailableError("x"), 3),
        (client_errors.UnauthenticatedError("x"), 3),
        (client_errors.ServerError("x"), 3),
        (ValueError("x"), None),
    ],
)
def test_exit_codes(error: Exception, code: int | None) -> None:
    assert exit_code(error) == code


@pytest.mark.parametrize(
    ("error", "code", "stderr"),
    [
        (errors.CatalogError("the disk\nis full"), 1, "error: the disk is full\n"),
        (KeyboardInterrupt(), 130, "\ninterrupted\n"),
    ],
)
def test_what_a_command_raises_becomes_its_end(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, stderr: str
) -> None:
    monkeypatch.setitem(program.commands, "fails", _failing(error))

    result = run("fails")

    assert (result.exit_code, result.stderr) == (code, stderr)


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(program.commands, "fails", _failing(ZeroDivisionError()))

    assert isinstance(run("fails").exception, ZeroDivisionError)


@pytest.mark.parametrize("package", ["click", "torch", "sqlalchemy"])
def test_a_missing_package_is_named_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str
) -> None:
    error = ModuleNotFoundError(f"No module named '{package}.sub'", name=f"{package}.sub")
    monkeypatch.setattr(program_module, "program", _raising(error))

    with pytest.raises(SystemExit) as end:
        cli.main()

    assert end.value.code == 2
    shown = capsys.readouterr().err
    assert repr(package) in shown
    assert "pip install 'softspoken[serve]'" in shown


def test_a_module_of_ours_that_is_missing_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_module, "program", _raising(ModuleNotFoundError("no", name="nlu.none")))

    with pytest.raises(ModuleNotFoundError):
        cli.main()


class _raising:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, prog_name: str = "") -> None:
        raise self.error


def _failing(error: BaseException) -> click.Command:
    return click.Command("fails", callback=_raising(error))
