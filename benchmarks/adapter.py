"""Make the packaged dialog adapter: from utterances of public training splits and WordNet, without labels.

No text of BANKING77 is among them, nor of any dev or test split.
"""

from __future__ import annotations

import json
import re
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

from benchmarks.setting import arguments
from nlu.adapter import DIALOG_ADAPTER
from nlu.backbone import Backbone
from nlu.compute import choose
from training.adapter_training import AdapterConfig, make_adapter
from training.loop import Progress
from training.teacher import embed, teacher_directory

LONGEST = 90  # characters: longer utterances cost more and teach no more
SEED = 13
TRAIN = {  # how many texts of each training split at most
    "clinc150_oos/train": 20_000,
    "clinc150_oos/train_oosplus_oos_only": 250,
    "snips_cased/train": 5_000,
    "restaurants8k/train": 5_000,
    "eracond/train": 5_000,
    "sgd_user_turns/train": 27_000,
}
EXAMPLES, GLOSSES = 15_000, 8_000  # of WordNet
HELD_BACK = (
    *(f"{name}/{split}" for name in ("clinc150_oos", "snips_cased", "eracond") for split in ("dev", "test")),
    *(f"sgd_user_turns/{split}" for split in ("dev", "test")),
    "restaurants8k/test",
    "banking77/train_full_official",
    "banking77/test",
)


def main() -> None:
    """Collect the texts, ask the teacher, and make the adapter."""
    parser = arguments(__doc__)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--steps", type=int, default=AdapterConfig().steps)
    parser.add_argument("--out", type=Path, default=DIALOG_ADAPTER)
    options = parser.parse_args()
    texts = list(collected(options))
    print(f"{len(texts):,} texts", flush=True)
    began = time.monotonic()

    def show(progress: Progress) -> None:
        if progress.step % 50 == 0:
            print(f"{progress.step}: loss {progress.loss:.3f}, {time.monotonic() - began:.0f} s", flush=True)

    config = AdapterConfig(seed=SEED, steps=options.steps)
    vectors = embed(texts, teacher_directory())
    adapter = make_adapter(Backbone.load(), texts, vectors, config, choose(threads=options.threads), show)
    adapter.write(options.out)
    print(f"wrote {options.out}, fingerprint {adapter.fingerprint}")


def collected(options: Namespace) -> Iterator[str]:
    """Yield different texts, none of which is held back."""
    seen = {_plain(text) for name in HELD_BACK for text in _texts(options.data / f"{name}.jsonl")}
    random = Random(SEED)  # noqa: S311 - repeatable, not secret
    sources = [(_texts(options.data / f"{name}.jsonl"), most) for name, most in TRAIN.items()]
    examples, glosses = wordnet(options.wordnet)
    for texts, most in (*sources, (examples, EXAMPLES), (glosses, GLOSSES)):
        shuffled = sorted(set(texts))
        random.shuffle(shuffled)
        for text in shuffled:
            if most and len(text) <= LONGEST and _plain(text) not in seen:
                seen.add(_plain(text))
                most -= 1
                yield text


def wordnet(folder: Path) -> tuple[list[str], list[str]]:
    """Return the examples and the definitions of WordNet's glosses."""
    examples, definitions = [], []
    for path in sorted(folder.glob("data.*")):
        for line in path.read_text(encoding="latin-1").splitlines():
            gloss = line.partition("|")[2].strip()
            examples += [each for each in re.findall(r'"([^"]+)"', gloss) if len(each.split()) >= 4]
            definition = re.sub(r'"[^"]*"|^\([^)]*\)', "", gloss).strip(" ;").partition(";")[0]
            definitions += [definition] if 5 <= len(definition.split()) <= 14 else []
    return examples, definitions


def _texts(path: Path) -> Iterable[str]:
    with path.open(encoding="utf-8") as lines:
        return [str(json.loads(line)["text"]).strip() for line in lines]


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


if __name__ == "__main__":
    main()
