"""Grammar: the packaged prompt on public test splits, and its speed against transformers' greedy decoding.

The gate is set on held-out rows: corrupted SGD dev turns and ErAConD's dev split; JFLEG is only measured on.
The peer decodes every sentence with `generate`, from the same prompts and encoder states, batch by batch.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache, EncoderDecoderCache, T5ForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from benchmarks.setting import arguments, machine, show, stored
from nlu.backbone import Backbone
from nlu.compute import Compute, choose
from nlu.corrector import END, GROWTH, START, Corrector
from nlu.engine import Engine, make_engine
from nlu.grammar_head import GrammarHead
from nlu.loaded import LoadedSkill
from nlu.prompt import Row
from nlu.tokens import Tokens, tokenise
from skills.correction import CorrectedSentence
from skills.correction_dataset import CorrectionDataset
from skills.corruption import CorruptionRates, corrupt, looks_clean
from skills.formats import read_corrections
from skills.grammar_metrics import grammar_metrics
from skills.skill import SkillDraft
from training.config import CorrectionConfig
from training.correction_evaluation import correct_texts
from training.correction_trainer import train_corrections

BATCH = 16
DEV_ROWS = 1500
CLEAN_ROWS = 2000
SPEED_ROWS = 150  # of each set
WARM_ROWS = 32


def main() -> None:
    """Set the gate, measure accuracy, then speed."""
    parser = arguments(__doc__)
    parser.add_argument("--skip-speed", action="store_true")
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    backbone = Backbone.load()
    skill = stored(gated_skill(options, backbone, compute), backbone, options.catalog)
    engine, corrector = make_engine(backbone, compute), Corrector(backbone.decoder(), compute)
    tests = {
        "JFLEG test": read_corrections(options.data / "jfleg" / "test.jsonl").sentences,
        "ErAConD test": read_corrections(options.data / "eracond" / "test.jsonl").sentences,
        "SGD test, clean": clean_turns(options, "test", CLEAN_ROWS),
    }
    rows = []
    for name, sentences in tests.items():
        texts = [each.text for each in sentences]
        answers = correct_texts(skill.prompt, head_of(skill), texts, backbone, engine, corrector)
        corrected = [each.corrected for each in answers]
        rows += [
            row(name, "unchanged", sentences, texts, skill),
            row(name, "corrected", sentences, corrected, skill),
        ]
    show("Grammar, packaged prompt", rows, where=machine(compute), target=options.json)
    if options.skip_speed:
        return
    dialog = {str(each["text"]) for each in lines_of(options.data / "sgd_user_turns" / "test.jsonl")}
    traffic = {
        "SGD test, turns as they come": sorted(dialog),
        "ErAConD test": [each.text for each in tests["ErAConD test"]],
        "JFLEG test": [each.text for each in tests["JFLEG test"]],
    }
    peer = Peer(skill, backbone, engine, compute)
    rows = []
    for name, texts in traffic.items():
        picked = random.Random(13).sample(texts, SPEED_ROWS)  # noqa: S311
        rows += speed(name, skill, picked, backbone, engine, corrector, peer)
    show("Corrections per second", rows, where=machine(compute), target=None)


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
    """Correct the same texts in three ways, each warmed up; in processor time."""
    head = head_of(skill)
    everything = replace(head, threshold=0.0)

    def ours(head: GrammarHead, texts: Sequence[str]) -> object:
        return correct_texts(skill.prompt, head, texts, backbone, engine, corrector)

    ways: dict[str, Callable[[Sequence[str]], object]] = {
        "gate, then verified decoding": partial(ours, head),
        "verified decoding of every sentence": partial(ours, everything),
        "transformers generate, every sentence": peer.correct,
    }
    rates: dict[str, float] = {}
    for way, correct in ways.items():
        correct(texts[:WARM_ROWS])
        began = time.process_time()
        correct(texts)
        rates[way] = len(texts) / (time.process_time() - began)
    peers = rates["transformers generate, every sentence"]
    return [
        {"set": name, "way": way, "sentences_per_cpu_s": rate, "ratio": rate / peers}
        for way, rate in rates.items()
    ]


class Peer:
    """Greedy decoding by transformers; the skill's prompts are the cache that it goes on from."""

    def __init__(self, skill: LoadedSkill, backbone: Backbone, engine: Engine, compute: Compute) -> None:
        self._skill, self._backbone, self._engine = skill, backbone, engine
        self._model: T5ForConditionalGeneration = backbone.transformer().to(compute.dtype)
        self._dtype = compute.dtype

    def correct(self, texts: Sequence[str]) -> list[str]:
        """Return the corrections of texts; those of like length share a batch."""
        tokens = [tokenise(self._backbone, text) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: len(tokens[place].ids))
        found: dict[int, str] = {}
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            ids = self._generate([tokens[place] for place in places])
            found |= zip(places, map(self._backbone.tokenizer.decode, ids), strict=True)
        return [found[place] for place in range(len(texts))]

    @torch.inference_mode()
    def _generate(self, tokens: Sequence[Tokens]) -> Iterable[list[int]]:
        states = self._engine.encode([Row(each.ids, self._skill.prompt) for each in tokens])
        encoded = torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(each) for each in states], batch_first=True
        )
        lengths = torch.tensor([len(each) for each in states])
        prompt = head_of(self._skill).prompt
        mask = torch.arange(encoded.shape[1]) < lengths[:, None]
        mask = torch.nn.functional.pad(mask, (prompt.length, 0), value=True)
        cache = self._cache(encoded.to(self._dtype))
        generated = self._model.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=torch.zeros(*mask.shape, encoded.shape[2])),
            attention_mask=mask.long(),
            decoder_input_ids=torch.full((len(tokens), prompt.length + 1), START),
            past_key_values=cache,
            max_new_tokens=3 * int(lengths.max()) // 2 + GROWTH,
            do_sample=False,
        )
        for row_ids in generated[:, prompt.length + 1 :].tolist():
            yield row_ids[: row_ids.index(END)] if END in row_ids else row_ids

    def _cache(self, encoded: torch.Tensor) -> EncoderDecoderCache:
        prompt = head_of(self._skill).prompt
        own, memory = DynamicCache(), DynamicCache()
        for layer, block in enumerate(self._model.decoder.block):
            attention = block.layer[1].EncDecAttention
            own.update(
                *(self._heads(torch.from_numpy(each), len(encoded)) for each in prompt.own[layer]), layer
            )
            read = [
                torch.cat([self._heads(torch.from_numpy(beside), len(encoded)), self._split(states)], dim=2)
                for beside, states in zip(
                    prompt.memory[layer], (attention.k(encoded), attention.v(encoded)), strict=True
                )
            ]
            memory.update(*read, layer)
        cache = EncoderDecoderCache(own, memory)
        cache.is_updated = dict.fromkeys(range(len(self._model.decoder.block)), True)
        return cache

    def _heads(self, vectors: torch.Tensor, rows: int) -> torch.Tensor:
        """(P, H*K) -> (B, H, P, K)."""
        return self._split(vectors.to(self._dtype)[None]).expand(rows, -1, -1, -1)

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        """(B, S, H*K) -> (B, H, S, K)."""
        rows, length, width = states.shape
        heads: int = self._model.config.num_heads
        return states.view(rows, length, heads, width // heads).transpose(1, 2)


if __name__ == "__main__":
    main()
