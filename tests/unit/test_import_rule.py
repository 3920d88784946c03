"""skills <- storage <- nlu <- training: a folder imports itself or what is left of it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("skills", "storage", "nlu", "training")
MODULES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))

# They run in other people's environments: Python 3.8, no torch, and their own protobuf.
CLIENT = [
    path
    for path in MODULES
    if any(
        path.match(f"nlu/{name}.py")
        for name in ("client*", "training_client*", "v1/*", "address", "sparse_log", "__init__", "rasa/*")
    )
]
CLIENT_MAY_IMPORT = ("grpc", "google.protobuf", "google.rpc")
IN_RASA_MAY_IMPORT = (*CLIENT_MAY_IMPORT, "rasa", "rasa_sdk")

MAY_READ_ENVIRONMENT = ("training/cli", "nlu/rasa/config.py")
UNSAFE_IMPORTS = ("pickle", "cPickle", "dill", "joblib", "marshal", "shelve")
UNSAFE_CALLS = ("eval", "exec", "torch.load")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, at the top or inside a function, by its full name."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write relative imports out"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def below(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def dotted(node: ast.expr) -> str:
    """`a.b.c` of an attribute expression, or what there is of it."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[str(path.relative_to(ROOT)) for path in paths])


def test_there_are_modules_in_every_folder() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(FOLDERS)
    assert CLIENT


@each(MODULES)
def test_imports_only_what_is_left_of_it(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    right = FOLDERS[FOLDERS.index(folder) + 1 :]
    assert [name for name in imported(path) if name.split(".")[0] in right] == []
    assert [
        name for name in imported(path) if name.split(".")[0] in ("tests", "benchmarks", "examples")
    ] == []


@each([path for path in MODULES if path.relative_to(ROOT).parts[0] == "skills"])
def test_the_domain_knows_no_torch_no_sql_and_no_grpc(path: Path) -> None:
    outside = ("torch", "transformers", "sqlalchemy", "alembic", "grpc", "google")
    assert [name for name in imported(path) if name.split(".")[0] in outside] == []


@each(CLIENT)
def test_the_client_imports_next_to_nothing(path: Path) -> None:
    outside = IN_RASA_MAY_IMPORT if path.match("nlu/rasa/*.py") else CLIENT_MAY_IMPORT
    own = [".".join(module.relative_to(ROOT).with_suffix("").parts) for module in CLIENT]
    assert [
        name
        for name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(below(name, package) for package in (*outside, *own))
    ] == []


@each([path for path in MODULES if not any(each in path.as_posix() for each in MAY_READ_ENVIRONMENT)])
def test_the_environment_is_read_by_the_command_line_only(path: Path) -> None:
    names = {dotted(node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Attribute)}
    assert names.isdisjoint({"os.environ", "os.environb", "os.getenv", "os.putenv"})
    assert {"os.environ", "os.environb", "os.getenv"}.isdisjoint(imported(path))


@each(MODULES)
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    assert [name for name in imported(path) if name.split(".")[0] in UNSAFE_IMPORTS] == []
    calls = {dotted(node.func) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)}
    assert calls.isdisjoint(UNSAFE_CALLS)
