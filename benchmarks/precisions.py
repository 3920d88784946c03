"""Every engine and precision on the CPU against torch in float32: speed, accuracy, rows alone and in batches.

The skill is one of the catalog, tuned on other rows than those of the file. Batches are of 1 to 32 rows at
random, among rows of two other skills.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.setting import DATA, arguments, machine, show
from nlu.backbone import Backbone
from nlu.compute import Precision, choose
from nlu.engine import Engine, make_engine
from nlu.head import IntentHead, pooled
from nlu.loaded import load_skill
from nlu.prompt import Floats, Prompt, Row
from nlu.tokens import tokenise
from skills.formats import read_intents
from skills.skill import SkillRef
from storage.catalog import Catalog
from training.stand_in import deep_prompt

ENGINES = (
    ("torch", Precision.FLOAT32),
    ("torch", Precision.BFLOAT16),
    ("openvino", Precision.FLOAT32),
    ("openvino", Precision.BFLOAT16),
    ("openvino", Precision.INT8),
)
LONGEST_BATCH = 32


def main() -> None:
    """Run all engines on the rows, and print a table."""
    parser = arguments(__doc__)
    parser.add_argument("--skill", required=True, help="an intent skill of the catalog")
    parser.add_argument("--file", type=Path, default=DATA / "banking77/train_full_official.jsonl")
    parser.add_argument("--without", type=Path, default=DATA / "banking77/train_10shot.jsonl")
    parser.add_argument("--rows", type=int, default=3000)
    options = parser.parse_args()
    compute = choose("cpu", "float32", options.threads or 1)
    bench = Bench.of(options)
    reference: Floats | None = None
    table = []
    for name, precision in ENGINES:
        engine = make_engine(bench.backbone, replace(compute, precision=precision), name)
        found, row = bench.measured(engine, reference)
        reference = found if reference is None else reference
        table.append({"engine": name, "precision": str(precision), **row})
    show("engines and precisions", table, where=machine(compute), target=options.json)


@dataclass(frozen=True)
class Bench:
    """A skill, the rows that it answers, and the prompts of others."""

    backbone: Backbone
    prompt: Prompt
    head: IntentHead
    texts: Sequence[str]
    gold: Sequence[str]
    others: Sequence[Prompt]

    @classmethod
    def of(cls, options: Any) -> Bench:
        backbone, catalog = Backbone.load(), Catalog.open(options.catalog)
        version = catalog.get(SkillRef(options.skill))
        skill = load_skill(version, catalog.tensors(version), backbone)
        catalog.close()
        if skill.intent is None:
            raise SystemExit(f"{version} has no intents")
        known = {row.text for row in read_intents(options.without).utterances}
        rows = [row for row in read_intents(options.file).utterances if row.text not in known]
        rows = random.Random(1).sample(rows, min(options.rows, len(rows)))  # noqa: S311
        generator = np.random.default_rng(2)
        others = [deep_prompt(backbone, generator) for _ in range(2)]
        texts, gold = [row.text for row in rows], [row.intent for row in rows]
        return cls(backbone, skill.prompt, skill.intent, texts, gold, others)

    def measured(self, engine: Engine, reference: Floats | None) -> tuple[Floats, dict[str, Any]]:
        """Return the (rows, labels) probabilities of rows alone, and a line of the table."""
        rows = [Row(tokenise(self.backbone, text).ids, self.prompt) for text in self.texts]
        engine.prepare(adapted=self.prompt.adapted)
        engine.encode(rows[:LONGEST_BATCH])
        began = time.process_time()
        alone = self._probabilities([engine.encode([row])[0] for row in rows])
        one = time.process_time() - began
        together, seconds = self._in_batches(engine, rows)
        reference = alone if reference is None else reference
        labels = np.array(self.head.labels)
        line = {
            "1 row, CPU ms": 1e3 * one / len(rows),
            "mixed batches, CPU ms a row": 1e3 * seconds,
            "accuracy %": 100 * float((labels[alone.argmax(axis=1)] == np.array(self.gold)).mean()),
            "other label than float32": int((alone.argmax(axis=1) != reference.argmax(axis=1)).sum()),
            "largest change in a batch": float(np.abs(alone - together).max()),
            "flipped by a batch": int((alone.argmax(axis=1) != together.argmax(axis=1)).sum()),
        }
        return alone, line

    def _in_batches(self, engine: Engine, rows: Sequence[Row]) -> tuple[Floats, float]:
        """Return probabilities of rows among those of other skills, and the seconds that a row takes."""
        draw, states, spent, count, start = random.Random(3), [], 0.0, 0, 0  # noqa: S311
        while start < len(rows):
            batch = list(rows[start : start + draw.randint(1, LONGEST_BATCH)])
            beside = [Row(draw.choice(rows).token_ids, draw.choice(self.others)) for _ in batch[::2]]
            began = time.process_time()
            states += engine.encode([*batch, *beside])[: len(batch)]
            spent += time.process_time() - began
            count += len(batch) + len(beside)
            start += len(batch)
        return self._probabilities(states), spent / count

    def _probabilities(self, states: Sequence[Floats]) -> Floats:
        features = np.stack([pooled(each) for each in states])
        return self.head.predict(self.texts, features).probabilities


if __name__ == "__main__":
    main()
