"""Rasa 3.6 with its default pipeline (DIET) against Rasa with our component, on public sets, one thread each.

Both are trained on one file of NLU data with their defaults, and answer the whole test split over Rasa's
HTTP API, text by text in turns with the same question asked of our service over gRPC: the rest of the
time (`added_ms`) is what Rasa and the component add; `component_adds_ms` is the component's part of it. An
intent counts if it is the best one, whatever the fallback says. DIET's model is kept beside Rasa's
environment, and taken from there for the same data and configuration.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rasa_calls import Rasa, in_turns, rate
from benchmarks.rasa_project import (
    NAME,
    diet_config,
    make_project,
    nlu_data,
    our_config,
    train_diet,
    train_rasa,
    train_skill,
)
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show
from nlu.client import Client, ParseRequest
from nlu.compute import Compute, choose
from skills.formats import read_intents, read_slots
from skills.slot import SlotLabel
from skills.slot_metrics import AnsweredSpan, SlotPrediction, Span, expected_spans, slot_metrics
from skills.utterance import Utterance
from tests.rasa.assistant import Project
from tests.rasa.environment import RASA, python_of

FALLBACK = "nlu_fallback"
WARM_UP = 50  # texts
RATED = 600  # texts that requests per second are measured with
DIET, OURS, BARE = "DIET", "softspoken", "gRPC alone"
COLUMNS = (
    *("set", "seed", "pipeline"),
    *("intent", "slot_f1", "frame", "fallback"),  # %
    *("train_s", "train_cpu_s", "trained"),
    *("p50_ms", "added_ms", "component_adds_ms", "rasa_cpu_ms", "req_s"),
)


@dataclass(frozen=True)
class Set:
    """A public set: files below the data folder, how many rows of each intent are drawn, the skill's kind."""

    train: str
    test: str
    kind: str
    rows_per_intent: int | None = None

    @property
    def has_slots(self) -> bool:
        """Whether slots are marked in its rows."""
        return self.kind == "intent+slots"

    def read(self, file: Path) -> Sequence[Utterance]:
        """Return the rows of one of its files."""
        return (read_slots if self.has_slots else read_intents)(file).utterances


SETS = {
    "banking77-10shot": Set("banking77/train_10shot.jsonl", "banking77/test.jsonl", "intent"),
    "snips-200": Set("snips_cased/train.jsonl", "snips_cased/test.jsonl", "intent+slots", 200),
}


def main() -> None:
    """Compare both on each asked set with each seed."""
    parser = arguments(__doc__)
    parser.set_defaults(threads=1)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[13])
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    rows = []
    for name, seed in itertools.product(options.sets, options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            rows += run(name, seed, Path(folder), options, compute)
    show("Rasa, full test split", rows, where=machine(compute), target=options.json)


def run(
    name: str, seed: int, folder: Path, options: argparse.Namespace, compute: Compute
) -> list[dict[str, Any]]:
    """Return a row for each pipeline on one set."""
    files = SETS[name]
    python = python_of(RASA)
    data = folder / "nlu.yml"
    data.write_text(nlu_data(drawn(files, options.data, seed)), encoding="utf-8")
    catalog = f"sqlite:///{folder / 'benchmark.db'}"
    skill_cost = train_skill(files.kind, data, catalog, seed)
    config = diet_config(python, seed)
    with running(catalog, compute) as server:
        of_ours = our_config(config, entities=files.has_slots)
        diet = make_project(folder / DIET, config, data, python, server.address)
        ours = make_project(folder / OURS, of_ours, data, python, server.address)
        costs = {DIET: train_diet(diet), OURS: skill_cost + train_rasa(ours)}
        test = files.read(options.data / files.test)
        component = component_alone(python, server.address, test)
        found = measured({DIET: diet, OURS: ours}, server.address, test)
    found[OURS] |= component
    for way, cost in costs.items():
        found[way] |= {
            "train_s": cost.seconds,
            "train_cpu_s": cost.processor_seconds,
            "trained": cost.began,
        }
    rows = [{"set": name, "seed": str(seed), "pipeline": way, **row} for way, row in found.items()]
    return [{column: row.get(column, "") for column in COLUMNS} for row in rows]


def drawn(files: Set, data: Path, seed: int) -> list[Utterance]:
    """Return the rows to train on."""
    by_intent: dict[str, list[Utterance]] = defaultdict(list)
    for row in files.read(data / files.train):
        by_intent[row.intent].append(row)
    if (count := files.rows_per_intent) is None:
        return [row for rows in by_intent.values() for row in rows]
    generator = np.random.default_rng(seed)
    return [
        rows[place]
        for rows in by_intent.values()
        for place in generator.choice(len(rows), count, replace=False)
    ]


def measured(
    projects: dict[str, Project], address: str, test: Sequence[Utterance]
) -> dict[str, dict[str, Any]]:
    """Serve both projects and ask them every row, and the service itself."""
    texts = [row.text for row in test]
    with (
        projects[DIET].serving(NAME) as diet,
        projects[OURS].serving(NAME) as ours,
        Client(address, timeout=60) as client,
        closing(Rasa(diet.port)) as diet_http,
        closing(Rasa(ours.port)) as ours_http,
    ):
        ways = {
            DIET: diet_http.parse,
            OURS: ours_http.parse,
            BARE: lambda text: client.parse(ParseRequest(text, skills=(NAME,), n_best=10)),
        }
        in_turns(ways, texts[:WARM_UP])
        before = diet_http.processor_seconds(), ours_http.processor_seconds()
        answers = in_turns(ways, texts)
        after = diet_http.processor_seconds(), ours_http.processor_seconds()
        rates = rate(diet.port, texts[:RATED]), rate(ours.port, texts[:RATED])
    rows = {way: {"p50_ms": 1e3 * float(np.median(asked.seconds))} for way, asked in answers.items()}
    for way, began, ended, each in zip((DIET, OURS), before, after, rates, strict=True):
        rows[way] |= scores(test, answers[way].found)
        rows[way] |= {"rasa_cpu_ms": 1e3 * (ended - began) / len(texts), "req_s": each}
    added = np.subtract(answers[OURS].seconds, answers[BARE].seconds)
    rows[OURS]["added_ms"] = 1e3 * float(np.median(added))
    return rows


def component_alone(python: Path, address: str, test: Sequence[Utterance]) -> dict[str, float]:
    """Return what the component adds to its call, in milliseconds, measured in Rasa's environment."""
    root = Path(__file__).parents[1]
    ran = subprocess.run(
        [python, "-W", "ignore", "-m", "benchmarks.rasa_component", address, NAME],
        input=json.dumps([row.text for row in test]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "RASA_TELEMETRY_ENABLED": "false", "OMP_NUM_THREADS": "1"},
    )
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def scores(test: Sequence[Utterance], found: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the table's accuracies, in percent; those of slots only where there are some."""
    predictions = [_prediction(row, each) for row, each in zip(test, found, strict=True)]
    values = {
        "intent": float(np.mean([each.intent_right for each in predictions])),
        "fallback": float(np.mean([each["intent"]["name"] == FALLBACK for each in found])),
    }
    metrics = slot_metrics(predictions)
    if metrics.spans.expected:
        values |= {"slot_f1": metrics.spans.f1, "frame": metrics.whole_frame or 0.0}
    return {name: 100 * share for name, share in values.items()}


def _prediction(row: Utterance, found: dict[str, Any]) -> SlotPrediction:
    ranked = [each["name"] for each in found["intent_ranking"] if each["name"] != FALLBACK]
    answered = (
        AnsweredSpan(Span(each["start"], each["end"], SlotLabel(each["entity"])), each["confidence_entity"])
        for each in found["entities"]
    )
    return SlotPrediction(row.text, expected_spans(row), tuple(answered), ranked[:1] == [row.intent])


if __name__ == "__main__":
    main()
