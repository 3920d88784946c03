"""Two Rasa projects on the same NLU data, with Rasa's default pipeline and with ours, and their training."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from skills.errors import SoftspokenError
from skills.utterance import Utterance
from tests.rasa.assistant import Project

NAME = "benchmark"  # of the skill, and of both Rasa models
KEPT = ".kept"  # where DIET's models stay, beside Rasa's environments
DEFAULT_CONFIG = "lib/python3*/site-packages/rasa/engine/recipes/config_files/default_config.yml"
TIMEOUT = 4 * 3600.0  # s; DIET takes a quarter of an hour on an idle core
PATIENCE = 5  # s for one message: a busy machine is no failure


@dataclass(frozen=True)
class Cost:
    """What a training took, in seconds by the clock and of processor time, and when it began."""

    seconds: float
    processor_seconds: float
    began: str

    def __add__(self, other: Cost) -> Cost:
        processor_seconds = self.processor_seconds + other.processor_seconds
        return Cost(self.seconds + other.seconds, processor_seconds, self.began)


def nlu_data(rows: Sequence[Utterance]) -> str:
    """Return rows as Rasa's NLU YAML, which both are trained on."""
    examples: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        examples.setdefault(row.intent, []).append({"text": _marked(row)})
    items = [{"intent": intent, "examples": found} for intent, found in examples.items()]
    return yaml.safe_dump({"version": "3.1", "nlu": items}, sort_keys=False, allow_unicode=True)


def _marked(row: Utterance) -> str:
    text = row.text
    for each in sorted(row.entities, key=lambda entity: -entity.start):
        text = f"{text[: each.start]}[{text[each.start : each.end]}]({each.slot}){text[each.end :]}"
    return text


def diet_config(python: Path, seed: int) -> dict[str, Any]:
    """Return the configuration that Rasa itself comes with, with a seed."""
    [path] = python.parents[1].glob(DEFAULT_CONFIG)
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for component in config["pipeline"]:
        if component["name"] == "DIETClassifier":
            component["random_seed"] = seed
    return config


def our_config(diet: dict[str, Any], *, entities: bool) -> dict[str, Any]:
    """Return that configuration with our component between its tokenizer and its fallback."""
    component = {
        "name": "nlu.rasa.SoftspokenNLU",
        "skills": [NAME],
        "entities": entities,
        "timeout": PATIENCE,
    }
    tokenizer, *_, fallback = diet["pipeline"]
    return {**diet, "pipeline": [tokenizer, component, fallback]}


def make_project(folder: Path, config: dict[str, Any], data: Path, python: Path, address: str) -> Project:
    """Return a new Rasa project that has only NLU data."""
    source = folder / "source"
    (source / "data").mkdir(parents=True)
    (source / "config.yml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    shutil.copy(data, source / "data")
    return Project.of(source, folder / "project", python, address)


def train_skill(kind: str, data: Path, catalog: str, seed: int) -> Cost:
    """Run `softspoken train` with its defaults, on one thread.

    Raises:
        CalledProcessError: it failed; why, it has written to standard error.
    """
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "train", NAME, "--kind", kind]
    command += ["--data", str(data), "--seed", str(seed), "--catalog", catalog, "--threads", "1"]
    return cost_of(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def train_rasa(project: Project) -> Cost:
    """Run `rasa train nlu`, on one thread.

    Raises:
        SoftspokenError: it failed.
    """
    trained: list[subprocess.CompletedProcess[str]] = []
    command = ("-m", "rasa", "train", "nlu", "--fixed-model-name", NAME)
    cost = cost_of(lambda: trained.append(project.run(*command, seconds=TIMEOUT)))
    if trained[0].returncode:
        raise SoftspokenError(f"rasa train nlu failed:\n{trained[0].stdout[-2000:]}")
    return cost


def train_diet(project: Project) -> Cost:
    """The same, or its model of an earlier run if Rasa, the data and the configuration are the same."""
    read = [project.folder / "config.yml", project.folder / "data" / "nlu.yml"]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in read)).hexdigest()[:12]
    kept = project.python.parents[1] / KEPT / digest
    model, cost_file = Path("models", f"{NAME}.tar.gz"), kept / "cost.json"
    if cost_file.exists():
        shutil.copytree(kept / "models", project.folder / "models")
        return Cost(**json.loads(cost_file.read_text()))
    cost = train_rasa(project)
    (kept / "models").mkdir(parents=True, exist_ok=True)
    shutil.copy(project.folder / model, kept / model)
    cost_file.write_text(json.dumps(asdict(cost)))  # last: without it nothing is kept
    return cost


def cost_of(run: Callable[[], object]) -> Cost:
    """Return what the processes cost that `run` starts and waits for."""
    before, start, began = _processor_seconds(), time.monotonic(), datetime.now(UTC)
    run()
    seconds = time.monotonic() - start
    return Cost(seconds, _processor_seconds() - before, f"{began:%m-%d %H:%M}")


def _processor_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
