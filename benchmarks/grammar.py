"""Grammar: the packaged prompt on public test splits, and its speed against transformers' greedy decoding.

The gate is set on held-out rows: corrupted SGD dev turns and ErAConD's dev split; JFLEG is only measured on.
The peer decodes every sentence with `generate`, from the same prompts and encoder states, in the same
precision and in batches of the size that suits it best. All ways take turns, so that whatever else the
machine does hits them alike; the best round of each counts.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.grammar_peer import Peer
from benchmarks.setting import arguments, machine, show, stored
from nlu.backbone import Backbone
from nlu.compute import Compute, choose
from nlu.corrector import Corrector
from nlu.engine import Engine, make_decoder, make_engine
from nlu.grammar_head import GrammarHead
from nlu.loaded import LoadedSkill
from skills.correction import CorrectedSentence
from skills.correction_dataset import CorrectionDataset
from skills.corruption import CorruptionRates, corrupt, looks_clean
from skills.formats import read_corrections
from skills.grammar_metrics import grammar_metrics
from skills.skill import SkillDraft
from training.config import CorrectionConfig
from training.correction_evaluation import correct_texts
from training.correction_trainer import train_corrections

PEER_BATCHES = (1, 16, 32)  # sentences
ROUNDS = 2
DEV_ROWS = 1500
CLEAN_ROWS = 2000
ALONE_ROWS = 10  # of them are decoded one by one, which takes the peer long


def main() -> None:
    """Set the gate, measure accuracy, then speed."""
    parser = arguments(__doc__)
    parser.add_argument("--skip-speed", action="store_true")
    parser.add_argument("--only-speed", action="store_true")
    parser.add_argument("--speed-rows", type=int, default=100, help="of each set (default: %(default)s)")
    parser.add_argument("--precision", default="auto", help="of both: auto, float32 or bfloat16")
    options = parser.parse_args()
    compute = choose(threads=options.threads, precision=options.precision)
    backbone = Backbone.load()
    skill = stored(gated_skill(options, backbone, compute), backbone, options.catalog)
    engine, corrector = make_engine(backbone, compute), Corrector(make_decoder(backbone, compute))
    tests = {
        "JFLEG test": read_corrections(options.data / "jfleg" / "test.jsonl").sentences,
        "ErAConD test": read_corrections(options.data / "eracond" / "test.jsonl").sentences,
        "SGD test, clean": clean_turns(options, "test", CLEAN_ROWS),
    }
    if not options.only_speed:
        rows = accuracy(tests, skill, backbone, engine, corrector)
        show("Grammar, packaged prompt", rows, where=machine(compute), target=options.json)
    if options.skip_speed:
        return
    peer = Peer(skill.prompt, head_of(skill), backbone, engine, compute)
    for name, texts in traffic(options).items():
        picked = random.Random(13).sample(texts, options.speed_rows)  # noqa: S311
        rows = speed(name, skill, picked, backbone, engine, corrector, peer)
        show("Corrections per second", rows, where=machine(compute), target=None)


def accuracy(
    tests: Mapping[str, Sequence[CorrectedSentence]],
    skill: LoadedSkill,
    backbone: Backbone,
    engine: Engine,
    corrector: Corrector,
) -> list[dict[str, Any]]:
    """Return the table of what corrections are worth, against the texts as they are."""
    rows = []
    for name, sentences in tests.items():
        texts = [each.text for each in sentences]
        answers = correct_texts(skill.prompt, head_of(skill), texts, backbone, engine, corrector)
        corrected = [each.corrected for each in answers]
        rows += [
            row(name, "unchanged", sentences, texts, skill),
            row(name, "corrected", sentences, corrected, skill),
        ]
    return rows


def gated_skill(options: argparse.Namespace, backbone: Backbone, compute: Compute) -> SkillDraft:
    """Return the packaged prompt with a gate set on held-out rows."""
    turns = (each.text for each in clean_turns(options, "dev", DEV_ROWS))
    dev = [*corrupt(turns, CorruptionRates(clean=0.5), seed=13)]
    dev += read_corrections(options.data / "eracond" / "dev.jsonl").sentences
    train = read_corrections(options.data / "eracond" / "train.jsonl").sentences
    config = CorrectionConfig.make(max_steps=0, min_steps=0)
    dataset = CorrectionDataset(train, tuple(dev))
    return train_corrections("grammar", dataset, backbone, config, compute).draft


def clean_turns(options: argparse.Namespace, split: str, count: int) -> tuple[CorrectedSentence, ...]:
    """Return user turns that show no fault, drawn by a fixed seed."""
    path = options.data / "sgd_user_turns" / f"{split}.jsonl"
    texts = sorted({str(each["text"]) for each in lines_of(path)})
    random.Random(13).shuffle(texts)  # noqa: S311
    return tuple(CorrectedSentence(text, (text,)) for text in islice(filter(looks_clean, texts), count))


def traffic(options: argparse.Namespace) -> dict[str, list[str]]:
    """Return the texts that speed is measured on, by the name of their set."""
    dialog = {str(each["text"]) for each in lines_of(options.data / "sgd_user_turns" / "test.jsonl")}
    found = {"SGD test, turns as they come": sorted(dialog)}
    for name, folder in (("ErAConD test", "eracond"), ("JFLEG test", "jfleg")):
        found[name] = [each.text for each in read_corrections(options.data / folder / "test.jsonl").sentences]
    return found


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON Lines file."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def row(
    name: str,
    what: str,
    sentences: Sequence[CorrectedSentence],
    hypotheses: Sequence[str],
    skill: LoadedSkill,
) -> dict[str, Any]:
    """Return one line of the table."""
    metrics = grammar_metrics(
        [each.text for each in sentences], hypotheses, [each.corrections for each in sentences]
    )
    return {
        "set": name,
        "text": what,
        "rows": metrics.rows,
        "gleu": metrics.gleu or 0.0,
        "errant_p": 100 * (metrics.errant_precision or 0.0),
        "errant_r": 100 * (metrics.errant_recall or 0.0),
        "errant_f05": 100 * (metrics.errant_f05 or 0.0),
        "left_alone": 100 * metrics.left_alone,
        "false_edits": 100 * (metrics.false_edit_rate or 0.0),
        "bytes": skill.version.bytes,
    }


def head_of(skill: LoadedSkill) -> GrammarHead:
    """Return the grammar head, which the skill has."""
    if skill.grammar is None:
        raise TypeError(f"{skill.version} is no grammar skill")
    return skill.grammar


def speed(
    name: str,
    skill: LoadedSkill,
    texts: Sequence[str],
    backbone: Backbone,
    engine: Engine,
    corrector: Corrector,
    peer: Peer,
) -> list[dict[str, Any]]:
    """Correct the same texts in each way, in turns; in processor time."""
    head = head_of(skill)
    everything = replace(head, threshold=0.0)

    def ours(head: GrammarHead, texts: Sequence[str]) -> object:
        return correct_texts(skill.prompt, head, texts, backbone, engine, corrector)

    ways: dict[str, Callable[[Sequence[str]], object]] = {
        "gate, then verified decoding": partial(ours, head),
        "verified decoding of every sentence": partial(ours, everything),
    }
    peers = {f"transformers generate, batches of {size}": size for size in PEER_BATCHES}
    ways |= {name: partial(peer.correct, size) for name, size in peers.items()}
    rates = dict.fromkeys(ways, 0.0)
    for turn in range(ROUNDS + 1):
        for way, correct in ways.items():
            picked = texts[:ALONE_ROWS] if turn == 0 or peers.get(way) == 1 else texts
            began = time.process_time()
            correct(picked)
            if turn:  # the first one warms up
                rates[way] = max(rates[way], len(picked) / (time.process_time() - began))
    best = max(rates[way] for way in peers)
    return [
        {"set": name, "way": way, "sentences_per_cpu_s": rate, "ratio": rate / best}
        for way, rate in rates.items()
    ]


if __name__ == "__main__":
    main()
