"""Slots on public sets: train with the defaults, answer the whole test split, with and without the context.

RESTAURANTS-8K has rows whose slots overlap, which the reader refuses; in the test split they count as missed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.setting import arguments, machine, show, stored
from nlu.backbone import Backbone
from nlu.compute import Compute, choose
from nlu.engine import Engine, make_engine
from nlu.loaded import LoadedSkill
from skills.formats import read_slots
from skills.slot_dataset import build_slots
from skills.utterance import Utterance
from training.config import JointConfig, SlotConfig
from training.slot_evaluation import SlotEvaluation, evaluate_slots
from training.slot_trainer import train_slots


@dataclass(frozen=True)
class Set:
    """A public set: files below the data folder, and what is trained on it."""

    train: str
    test: str
    config: type[SlotConfig]
    dev: str | None = None


SETS = {
    "snips": Set("snips_cased/train.jsonl", "snips_cased/test.jsonl", JointConfig, "snips_cased/dev.jsonl"),
    "snips-slots-alone": Set(
        "snips_cased/train.jsonl", "snips_cased/test.jsonl", SlotConfig, "snips_cased/dev.jsonl"
    ),
    "restaurants8k": Set("restaurants8k/train.jsonl", "restaurants8k/test.jsonl", SlotConfig),
    "restaurants8k-16th": Set("restaurants8k/train_sub_4_n512.jsonl", "restaurants8k/test.jsonl", SlotConfig),
}


def main() -> None:
    """Train and test each asked set with each seed."""
    parser = arguments(__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[13])
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="KEY=VALUE", help="hyper-parameters to change"
    )
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    backbone = Backbone.load()
    rows = [run(name, seed, options, backbone, compute) for name in options.sets for seed in options.seeds]
    show("Slot skills, full test split", rows, where=machine(compute), target=options.json)


def run(
    name: str, seed: int, options: argparse.Namespace, backbone: Backbone, compute: Compute
) -> dict[str, Any]:
    """Train one skill, store it, load it back, and test it as it is stored."""
    files = SETS[name]
    settings = dict(pair.split("=", 1) for pair in options.set)
    config = files.config.make(**{**settings, "seed": seed})
    train = read_slots(options.data / files.train, skip_bad_rows=True).utterances
    dev = None if files.dev is None else read_slots(options.data / files.dev).utterances
    dataset, _ = build_slots(
        train,
        dev,
        dev_share=config.held_out_share(len(train)),
        seed=seed,
        with_intents=files.config is JointConfig,
    )
    began = time.monotonic()
    trained = train_slots(name, dataset, backbone, config, {}, compute, refit=None if dev is None else False)
    seconds = time.monotonic() - began
    skill = stored(trained.draft, backbone, options.catalog)
    test = read_slots(options.data / files.test, skip_bad_rows=True)
    missed = slots_of(options.data / files.test, [error.row for error in test.skipped])
    return {
        "set": name,
        "seed": str(seed),
        **scores(skill, test.utterances, missed, backbone, make_engine(backbone, compute)),
        "train_s": seconds,
        "bytes": float(len(trained.draft.tensors)),
    }


def slots_of(path: Path, rows: Sequence[int | None]) -> int:
    """Return how many slots are marked in the rows of these numbers."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return sum(len(json.loads(lines[row - 1])["slots"]) for row in rows if row)


def scores(
    skill: LoadedSkill, test: Sequence[Utterance], missed: int, backbone: Backbone, engine: Engine
) -> dict[str, float]:
    """Return the table's numbers; those of rows with a requested slot with and without it."""
    asked = [row for row in test if row.expected_slots]
    whole = evaluate_slots(skill, test, backbone, engine)
    found = {
        "intent": 100 * whole.intents.metrics.accuracy if whole.intents else 0.0,
        "slot_f1": 100 * f1(whole, missed),
        "frame": 100 * (whole.metrics.whole_frame or whole.metrics.frame_accuracy),
        "ece": whole.metrics.ece,
        "test_rows": float(whole.metrics.rows),
        "refused_slots": float(missed),
        "asked_rows": float(len(asked)),
        "asked_f1": 0.0,
        "asked_f1_without": 0.0,
    }
    if asked:
        found["asked_f1"] = 100 * f1(evaluate_slots(skill, asked, backbone, engine))
        without = evaluate_slots(skill, asked, backbone, engine, with_context=False)
        found["asked_f1_without"] = 100 * f1(without)
    return found


def f1(evaluation: SlotEvaluation, missed: int = 0) -> float:
    """Return the entity-level F1, with so many further spans that were not answered."""
    spans = evaluation.metrics.spans
    return 2 * spans.right / max(spans.expected + missed + spans.answered, 1)


if __name__ == "__main__":
    main()
