"""Growing a skill: 10 labels added to BANKING77's other 67, from the stored skill and from scratch, 10-shot.

The 10 are drawn by the seed. Training reads the 10-shot file alone; the test split is read when all skills
are stored. Time is that of the processor in `train_intents`, so that other work does not count.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.setting import arguments, machine, show, stored
from nlu.backbone import Backbone
from nlu.compute import choose
from nlu.engine import make_engine
from nlu.loaded import LoadedSkill
from skills.dataset import build
from skills.formats import read_intents
from skills.utterance import Utterance
from training.config import make_config
from training.evaluation import Evaluation, evaluate
from training.trainer import train_intents

ADDED = 10


def main() -> None:
    """Train on 67 labels, grow to 77, train on 77 from scratch; then test all three."""
    parser = arguments(__doc__)
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args()
    compute = choose(threads=options.threads or 1)
    backbone = Backbone.load()
    config = make_config(seed=options.seed)
    rows = read_intents(options.data / "banking77/train_10shot.jsonl").utterances
    labels = sorted({row.intent for row in rows})
    added = set(np.random.default_rng(options.seed).choice(labels, ADDED, replace=False).tolist())

    def trained(utterances: Sequence[Utterance], grown_from: LoadedSkill | None) -> tuple[LoadedSkill, float]:
        """Return a stored skill, and the seconds of its training."""
        dataset, _ = build(utterances, dev_share=config.held_out_share(len(utterances)), seed=config.seed)
        began = time.process_time()
        draft = train_intents("growing", dataset, backbone, config, grown_from=grown_from).draft
        return stored(draft, backbone, options.catalog), time.process_time() - began

    before = trained([row for row in rows if row.intent not in added], None)
    skills = {
        f"{len(labels) - ADDED} labels": before,
        f"grown to {len(labels)}": trained(rows, before[0]),
        "from scratch": trained(rows, None),
    }
    test = read_intents(options.data / "banking77/test.jsonl").utterances
    scratch = skills["from scratch"][1]
    results = []
    for name, (skill, seconds) in skills.items():
        known = [row for row in test if row.intent in skill.version.labels]
        found = evaluate(skill, known, backbone, make_engine(backbone, compute))
        timed = {"cpu_s": seconds, "of scratch": seconds / scratch}
        results.append({"skill": name, **_accuracy(found, added), **timed})
    title = f"Growing a skill by {ADDED} labels, full test split, seed {options.seed}"
    show(title, results, where=machine(compute), target=options.json)


def _accuracy(found: Evaluation, added: set[str]) -> dict[str, Any]:
    """Return the share of right answers: rows of old labels, of added ones where there are any, and all."""
    right = [(each.expected in added, each.expected == each.answered) for each in found.predictions]
    old, new = ([is_right for is_new, is_right in right if is_new is kind] for kind in (False, True))
    return {
        "old labels": 100 * float(np.mean(old)),
        "added labels": 100 * float(np.mean(new)) if new else "",
        "all": 100 * found.metrics.accuracy,
        "ece": found.metrics.ece,
        "accepted": found.metrics.in_scope_accepted,
    }


if __name__ == "__main__":
    main()
