"""Python environments that are not ours: Rasa, its action server, the oldest protobuf, no torch.

Each is made once, under a lock, in SOFTSPOKEN_RASA_ENV or ~/.cache/softspoken-rasa, and reused as long as its
recipe is the same. `python -m tests.rasa.environment` makes them all beforehand (5 minutes, 3 GB).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlu.cache import default_cache

PINS = Path(__file__).parent / "pins"
COMPLETE = "complete"  # a file in the environment, written last
UNREACHABLE = "after connection broken by"  # pip's words

RASA = "rasa"
STUBS = "stubs"
ACTIONS = "actions"
SERVE = "serve"


class EnvironmentUnavailableError(Exception):
    """The package registry cannot be reached, or this machine has none of the Pythons."""


@dataclass(frozen=True)
class Recipe:
    """The minor version of a Python, and what `pip install` is told in an environment of it."""

    python: str
    arguments: tuple[str, ...]
    pins: str = ""  # a file of PINS

    def digest(self) -> str:
        pins = (PINS / self.pins).read_bytes() if self.pins else b""
        return hashlib.sha256(repr(self).encode() + pins).hexdigest()[:12]


def _of_project(extra: str) -> tuple[str, ...]:
    """Return what the project asks for with an extra of its own, which asks for no other."""
    document = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    project = document["project"]
    return (*project["dependencies"], *project["optional-dependencies"][extra])


Recipes = Mapping[str, Sequence[Recipe]]  # by environment; the first whose Python is there

RECIPES: Recipes = {
    RASA: (
        Recipe("3.10", ("rasa==3.6.21", "-c", "{pins}"), "constraints-rasa-3.6.21-py310.txt"),
        Recipe(
            "3.11",
            ("--no-deps", "--ignore-requires-python", "-r", "{pins}"),
            "requirements-rasa-3.6.21-py311.txt",
        ),
    ),
    ACTIONS: tuple(Recipe(minor, ("rasa-sdk==3.21.1",)) for minor in ("3.11", "3.12", "3.10")),
    SERVE: tuple(Recipe(minor, _of_project("serve")) for minor in ("3.12", "3.11", "3.13")),
    STUBS: tuple(Recipe(minor, ("grpcio", "protobuf==4.23.3")) for minor in ("3.8", "3.9", "3.10")),
}


def python_of(name: str, recipes: Recipes = RECIPES) -> Path:
    """Return the interpreter of an environment, which is made if it is not there.

    Raises:
        EnvironmentUnavailableError: it cannot be made here.
        subprocess.CalledProcessError: pip failed otherwise.
    """
    recipe, base = _recipe(name, recipes)
    cache = Path(os.environ.get("SOFTSPOKEN_RASA_ENV") or default_cache().with_name("softspoken-rasa"))
    folder = cache / f"{name}-{recipe.digest()}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / COMPLETE).exists():
            _make(folder, recipe, base)
            (folder / COMPLETE).touch()
    return folder / "bin" / "python"


def _recipe(name: str, recipes: Recipes) -> tuple[Recipe, str]:
    for recipe in recipes[name]:
        for python in (f"python{recipe.python}", *_of_pyenv(recipe.python)):
            if shutil.which(python) and _minor(python) == recipe.python:
                return recipe, python
    wanted = ", ".join(recipe.python for recipe in recipes[name])
    raise EnvironmentUnavailableError(f"no Python {wanted} on this machine")


def _of_pyenv(minor: str) -> list[str]:
    """Return the Pythons that pyenv has installed without naming them in the PATH."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(map(str, root.glob(f"versions/{minor}.*/bin/python")))


def _minor(python: str) -> str:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], check=False, capture_output=True, text=True).stdout.strip()


def _make(folder: Path, recipe: Recipe, base: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", folder], check=True)
    arguments = [argument.format(pins=PINS / recipe.pins) for argument in recipe.arguments]
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        if UNREACHABLE in done.stderr:
            raise EnvironmentUnavailableError(f"the package registry cannot be reached: {done.stderr[-300:]}")
        sys.stderr.write(done.stderr)
        done.check_returncode()


if __name__ == "__main__":
    for each in RECIPES:
        sys.stdout.write(f"{each}: {python_of(each)}\n")
