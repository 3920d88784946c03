"""Speed of mixed-skill serving, each figure against a peer in the same run.

1. A 32-row batch of 32 skills against 32 rows of one skill.
2. Rows of 32 skills in random order through our batches, against PEFT with one adapter switched in at a time
   (PROMPT_TUNING on transformers' T5 encoder, in float32 as it comes, and in the precision that we serve in):
   row by row as they arrive and, kinder, grouped by skill.
3. `Parse` over a local socket, one caller: one intent skill; then intent, slots and grammar of one text,
   which is decoded if the gate says so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.grammar import clean_turns, gated_skill
from benchmarks.server_process import running
from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.client import Client
from nlu.compute import Compute, choose
from nlu.engine import Engine, make_engine
from nlu.prompt import Prompt, Row
from nlu.tokens import tokenise
from skills.formats import read_corrections, read_intents, read_slots
from skills.skill import SkillDraft
from skills.slot_dataset import build_slots
from skills.utterance import Utterance
from storage.catalog import Catalog
from training.config import SlotConfig
from training.slot_trainer import train_slots
from training.stand_in import deep_prompt, intent_draft, intent_head

SKILLS = 32
BATCH = 32
SOFT_LENGTH = 20
TEXTS = 400  # of a latency


def main() -> None:
    """Run the measurements."""
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    backbone = Backbone.load()
    engine = make_engine(backbone, compute, options.engine)
    train = read_intents(options.data / "banking77/train_10shot.jsonl").utterances
    texts = [row.text for row in read_intents(options.data / "banking77/test.jsonl").utterances][:512]
    rows = [
        *mixed_against_one(engine, backbone, texts, options.rounds),
        *against_peft(engine, backbone, texts[:256], torch.float32),
        *(
            against_peft(engine, backbone, texts[:256], compute.dtype)
            if compute.dtype != torch.float32
            else ()
        ),
        *parse_latency("Parse p50, intent", [_untrained(backbone, train)], compute, texts),
        *kinds_latency(options, backbone, compute, train),
    ]
    show(f"Serving, engine {engine.name}", rows, where=machine(compute), target=options.json)


def deep_prompts(backbone: Backbone, count: int) -> list[Prompt]:
    """Return prompts of the shape of trained ones; speed does not depend on their values."""
    generator = np.random.default_rng(13)
    return [deep_prompt(backbone, generator) for _ in range(count)]


def mixed_against_one(
    engine: Engine, backbone: Backbone, texts: Sequence[str], rounds: int
) -> list[dict[str, Any]]:
    """Interleave both kinds of batches over the same texts."""
    prompts = deep_prompts(backbone, SKILLS)
    tokens = [tokenise(backbone, text).ids for text in texts]
    seconds: dict[str, list[float]] = {"mixed": [], "one": []}
    for round_number in range(rounds):
        start = round_number * BATCH % (len(tokens) - BATCH)
        picked = tokens[start : start + BATCH]
        batches = {
            "mixed": [Row(ids, prompts[i % SKILLS]) for i, ids in enumerate(picked)],
            "one": [Row(ids, prompts[0]) for ids in picked],
        }
        for name, batch in batches.items():
            seconds[name].append(_seconds(lambda batch=batch: engine.encode(batch)))  # type: ignore[misc]
    mixed, one = (float(np.median(seconds[name])) for name in ("mixed", "one"))
    return [
        _result("32 rows of 32 skills / of one skill", mixed / one, f"{1e3 * mixed:.1f} / {1e3 * one:.1f} ms")
    ]


def against_peft(
    engine: Engine, backbone: Backbone, texts: Sequence[str], dtype: torch.dtype
) -> list[dict[str, Any]]:
    """The same texts, each asked of a random skill."""
    generator = np.random.default_rng(14)
    asked = generator.integers(SKILLS, size=len(texts))
    prompts = deep_prompts(backbone, SKILLS)
    tokens = [tokenise(backbone, text).ids for text in texts]
    rows = [Row(ids, prompts[skill]) for ids, skill in zip(tokens, asked, strict=True)]

    def ours() -> None:
        for start in range(0, len(rows), BATCH):
            engine.encode(rows[start : start + BATCH])

    model = _peft_model(backbone, dtype)

    def one_at_a_time() -> None:
        for ids, skill in zip(tokens, asked, strict=True):
            _peft_forward(model, int(skill), [ids])

    def grouped() -> None:
        for skill in range(SKILLS):
            group = [ids for ids, wanted in zip(tokens, asked, strict=True) if wanted == skill]
            if group:
                _peft_forward(model, skill, group)

    ours()  # warm
    times = {"ours": _seconds(ours), "switched": _seconds(one_at_a_time), "grouped": _seconds(grouped)}
    detail = ", ".join(f"{name} {len(rows) / seconds:.0f} rows/s" for name, seconds in times.items())
    return [
        _result(
            f"mixed rows, throughput / PEFT {dtype} switching", times["switched"] / times["ours"], detail
        ),
        _result(f"mixed rows, throughput / PEFT {dtype} grouped", times["grouped"] / times["ours"], detail),
    ]


def _peft_model(backbone: Backbone, dtype: torch.dtype) -> Any:
    from peft import PromptTuningConfig, TaskType, get_peft_model

    def config() -> PromptTuningConfig:
        return PromptTuningConfig(task_type=TaskType.FEATURE_EXTRACTION, num_virtual_tokens=SOFT_LENGTH)

    model = get_peft_model(backbone.encoder_transformer(), config(), adapter_name="0")
    for skill in range(1, SKILLS):
        model.add_adapter(str(skill), config())
    return model.to(dtype).eval()


@torch.inference_mode()
def _peft_forward(model: Any, skill: int, rows: Sequence[tuple[int, ...]]) -> None:
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    mask = (torch.arange(ids.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]).long()
    model.set_adapter(str(skill))
    model(input_ids=ids, attention_mask=mask)


def kinds_latency(
    options: argparse.Namespace, backbone: Backbone, compute: Compute, train: Sequence[Utterance]
) -> list[dict[str, Any]]:
    """Ask for intent, slots and grammar at once, of clean turns and of chat with errors."""
    rows = read_slots(options.data / "snips_cased/dev.jsonl").utterances
    dataset, _ = build_slots(rows, seed=13)
    config = SlotConfig.make(min_steps=60, max_steps=60, refit_rows=0)  # fast, not good
    slots = train_slots("slots", dataset, backbone, config, {}, compute).draft
    grammar = gated_skill(options, backbone, compute)
    drafts = [_untrained(backbone, train), slots, grammar]
    clean = [each.text for each in clean_turns(options, "test", TEXTS)]
    chat = read_corrections(options.data / "eracond" / "test.jsonl").sentences[:TEXTS]
    return [
        *parse_latency("Parse p50, intent + slots + grammar, clean", drafts, compute, clean),
        *parse_latency(
            "Parse p50, intent + slots + grammar, chat", drafts, compute, [each.text for each in chat]
        ),
    ]


def parse_latency(
    what: str, drafts: Sequence[SkillDraft], compute: Compute, texts: Sequence[str]
) -> list[dict[str, Any]]:
    """Start the real server on skills of real size and call it, one request at a time."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        catalog = Catalog.open(url)
        for draft in drafts:
            catalog.publish(draft, alias="live")
        catalog.close()
        with (
            running(url, compute) as server,
            Client(server.address, timeout=60) as client,
        ):
            for text in texts[:50]:
                client.parse(text)
            seconds = [_seconds(lambda text=text: client.parse(text)) for text in texts]  # type: ignore[misc]
    p50, p99 = np.percentile(seconds, [50, 99])
    return [_result(f"{what}, ms", 1e3 * float(p50), f"p99 {1e3 * p99:.1f} ms, {len(texts)} texts")]


def _untrained(backbone: Backbone, train: Sequence[Utterance]) -> SkillDraft:
    """Return a skill of the size of a trained one."""
    return intent_draft(backbone, "banking77", deep_prompts(backbone, 1)[0], intent_head(backbone, train))


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _result(what: str, value: float, detail: str) -> dict[str, Any]:
    return {"measurement": what, "value": value, "detail": detail}


if __name__ == "__main__":
    main()
