"""Make the packaged grammar prompt: errors put into clean sentences, and corrected chat.

Clean sentences are the user turns of SGD's training split and the example sentences of WordNet (Debian's
package wordnet-base). Some are put together, for real texts have several sentences.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np

from benchmarks.setting import arguments
from nlu.backbone import Backbone
from nlu.compute import choose
from skills.correction import CorrectedSentence
from skills.corruption import CorruptionRates, corrupt, looks_clean
from skills.formats import read_corrections
from training.config import CorrectionConfig
from training.correction_loop import tune_corrections
from training.correction_model import CorrectionModel
from training.correction_pairs import Pair, make_pairs
from training.loop import Progress
from training.start import GRAMMAR_PROMPT, save_grammar_start

STEPS = 1300
TURNS = 26_000  # of SGD's 65,000 clean ones
CHAT_COPIES = 5  # of ErAConD's 1,213 rows
LONGEST = 64  # tokens
SEED = 13
# Learners' prose: less about case and punctuation than the defaults, which mirror chat.
PROSE = CorruptionRates(
    agreement=0.16,
    article=0.15,
    preposition=0.13,
    tense=0.16,
    word_order=0.05,
    spelling=0.2,
    casing=0.05,
    punctuation=0.1,
)


def main() -> None:
    """Train and write the prompt."""
    parser = arguments(__doc__)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--out", type=Path, default=GRAMMAR_PROMPT)
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    backbone = Backbone.load()
    generator = np.random.default_rng(SEED)
    config = CorrectionConfig.make(start="tokens", seed=SEED, max_steps=STEPS, min_steps=STEPS)
    train = [
        *_pairs(backbone, list(generated(options)), generator, clean_share=0.0),
        *_pairs(backbone, _chat(options, "train") * CHAT_COPIES, generator, clean_share=0.0),
    ]
    dev = _pairs(backbone, _chat(options, "dev"), generator, clean_share=1.0)
    order = generator.permutation(len(train))
    train = [train[place] for place in order]
    model = CorrectionModel(
        backbone, train[:16], prompt_length=config.prompt_length, seed=SEED, dtype=compute.dtype
    )
    print(f"{len(train):,} pairs, {sum(pair.has_error for pair in train):,} with errors")
    began = time.monotonic()

    def show(progress: Progress) -> None:
        if progress.step % 25 == 0:
            print(f"{progress.step}: loss {progress.loss:.3f}, {time.monotonic() - began:.0f} s", flush=True)

    best = tune_corrections(model, train, dev, config, generator, on_progress=show)
    save_grammar_start(best, backbone, options.out)
    print(f"wrote {options.out}")


def generated(options: argparse.Namespace) -> Iterator[CorrectedSentence]:
    """Yield clean sentences with errors put into them: chat-like ones, then prose."""
    random = Random(SEED)  # noqa: S311 - repeatable, not secret
    turns = _clean(_turns(options.data / "sgd_user_turns" / "train.jsonl"), random)[:TURNS]
    turns = list(_together(turns, 0.1, random))
    prose = list(_together(_clean(_examples(options.wordnet), random), 0.2, random))
    half = len(turns) // 2
    yield from corrupt(turns[:half], CorruptionRates(), seed=1)
    yield from corrupt(turns[half:], PROSE, seed=2)
    yield from corrupt(prose, PROSE, seed=3)
    yield from corrupt(random.sample(prose, len(prose) // 3), CorruptionRates(), seed=4)


def _chat(options: argparse.Namespace, split: str) -> list[CorrectedSentence]:
    return list(read_corrections(options.data / "eracond" / f"{split}.jsonl").sentences)


def _pairs(
    backbone: Backbone,
    sentences: Sequence[CorrectedSentence],
    generator: np.random.Generator,
    *,
    clean_share: float,
) -> list[Pair]:
    pairs = make_pairs(backbone, sentences, generator, clean_share=clean_share)
    return [pair for pair in pairs if max(len(pair.source), len(pair.target)) <= LONGEST]


def _turns(path: Path) -> set[str]:
    with path.open(encoding="utf-8") as lines:
        return {str(json.loads(line)["text"]) for line in lines}


def _examples(folder: Path) -> set[str]:
    """Return the example sentences of WordNet's glosses, written as sentences."""
    lines = chain.from_iterable(
        path.read_text(encoding="latin-1").splitlines() for path in sorted(folder.glob("data.*"))
    )
    quoted = (each for line in lines for each in re.findall(r'"([^"]{12,140})"', line.partition("|")[2]))
    examples = (
        each.strip() for each in quoted if len(each.split()) >= 5 and not re.search(r"[;`(]|--", each)
    )
    return {f"{each[0].upper()}{each[1:]}{'' if each[-1] in '.?!' else '.'}" for each in examples}


def _clean(texts: set[str], random: Random) -> list[str]:
    clean = sorted(filter(looks_clean, texts))
    random.shuffle(clean)
    return clean


def _together(sentences: Sequence[str], share: float, random: Random) -> Iterator[str]:
    """Yield sentences, a share of them as texts of two or three."""
    rest = iter(sentences)
    for sentence in rest:
        more = random.choice((1, 1, 2)) if random.random() < share else 0
        yield " ".join([sentence, *(each for _, each in zip(range(more), rest, strict=False))])


if __name__ == "__main__":
    main()
