"""Intent accuracy on public sets: train with the defaults, answer the whole test split, mean over seeds.

Few-shot sets are trained without a dev file, as a user with only those rows would; no test row is read
before the skill is stored.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.setting import arguments, machine, show, stored
from nlu.backbone import Backbone
from nlu.compute import Compute, choose
from nlu.engine import make_engine
from skills.dataset import build
from skills.formats import read_intents
from training.config import TuningConfig, make_config
from training.evaluation import evaluate
from training.trainer import train_intents


@dataclass(frozen=True)
class Set:
    """A public set: files below the data folder; CLINC150 is never started from a prompt tuned on it."""

    train: str
    test: str
    dev: str | None = None
    start: str = "dialog"


SETS = {
    "banking77-10shot": Set("banking77/train_10shot.jsonl", "banking77/test.jsonl"),
    "banking77-5shot": Set("banking77/train_5shot.jsonl", "banking77/test.jsonl"),
    "banking77-full": Set("banking77/train_full_official.jsonl", "banking77/test.jsonl"),
    # The out-of-scope rows of clinc150_oos only calibrate: in-scope accuracy is that of clinc150.
    "clinc150-oos": Set(
        "clinc150_oos/train.jsonl", "clinc150_oos/test.jsonl", "clinc150_oos/dev.jsonl", start="quiet"
    ),
    "snips": Set("snips_cased/train.jsonl", "snips_cased/test.jsonl", "snips_cased/dev.jsonl"),
    "clinc150-10shot": Set("clinc150/train_10shot.jsonl", "clinc150/test.jsonl", start="quiet"),
}


def main() -> None:
    """Train and test each asked set with each seed."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[13, 14, 15])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="hyper-parameters to change"
    )
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    rows = [row for name in options.sets for row in run(name, options, compute)]
    show("Intent skills, full test split", rows, where=machine(compute), target=options.json)


def run(name: str, options: argparse.Namespace, compute: Compute) -> list[dict[str, Any]]:
    """Return one row per seed, and their mean."""
    backbone = Backbone.load()
    runs = []
    for seed in options.seeds:
        settings = {
            "start": SETS[name].start,
            **dict(pair.split("=", 1) for pair in options.set),
            "seed": seed,
        }
        runs.append(train_and_test(name, make_config(**settings), options, (backbone, compute)))
    columns = list(runs[0])[2:]
    average = {column: mean(row[column] for row in runs) for column in columns}
    spread = stdev(row["accuracy"] for row in runs) if len(runs) > 1 else 0.0
    return [*runs, {"set": name, "seed": f"mean (accuracy sd {spread:.2f})", **average}]


def train_and_test(
    name: str, config: TuningConfig, options: argparse.Namespace, model: tuple[Backbone, Compute]
) -> dict[str, Any]:
    """Train one skill, store it, load it back, and test it as it is stored."""
    backbone, compute = model
    files = SETS[name]
    train = read_intents(options.data / files.train).utterances
    dev = None if files.dev is None else read_intents(options.data / files.dev).utterances
    dataset, _ = build(train, dev, dev_share=config.held_out_share(len(train)), seed=config.seed)
    began = time.monotonic()
    # Rows of a dev file stay held out, as in `softspoken train --dev`.
    trained = train_intents(name, dataset, backbone, config, refit=None if dev is None else False)
    seconds = time.monotonic() - began
    skill = stored(trained.draft, backbone, options.catalog)
    test = read_intents(Path(options.data) / files.test).utterances
    metrics = evaluate(skill, test, backbone, make_engine(backbone, compute)).metrics
    return {
        "set": name,
        "seed": str(config.seed),
        "accuracy": 100 * metrics.accuracy,
        "macro_f1": 100 * metrics.macro_f1,
        "ece": metrics.ece,
        "oos_auroc": metrics.oos_auroc or 0.0,
        "oos_recall": metrics.oos_recall or 0.0,
        "accepted": metrics.in_scope_accepted,
        "test_rows": float(metrics.rows),
        "train_s": seconds,
        "bytes": float(skill.version.bytes),
    }


if __name__ == "__main__":
    main()
