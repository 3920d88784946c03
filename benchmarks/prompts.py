"""What a deep prompt starts from: the packaged dialog prompt against random tokens, on held-out rows only.

`--make-start` makes the packaged prompt again: it is the prompt of a CLINC150 skill.
"""

from __future__ import annotations

import time
from typing import Any

from safetensors.numpy import load

from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.compute import choose
from nlu.prompt import Prompt
from skills.dataset import build
from skills.formats import read_intents
from training.config import TuningConfig, make_config
from training.evaluation import Evaluation
from training.start import DIALOG_PROMPT, save_start
from training.trained import Trained
from training.trainer import train_intents

PLAIN = {"adapter": False, "prompt_rate": 2e-2}  # the packaged prompt is for the encoder without the adapter


def main() -> None:
    """Compare starts on BANKING77's dev split, or make the packaged start."""
    parser = arguments(__doc__)
    parser.add_argument(
        "--make-start", action="store_true", help="train on CLINC150 and write the packaged prompt"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[13])
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    backbone = Backbone.load()

    def trained(folder: str, train: str, config: TuningConfig) -> Trained[Evaluation]:
        rows, dev = (
            read_intents(options.data / folder / f"{name}.jsonl").utterances for name in (train, "dev")
        )
        dataset, _ = build(rows, dev, seed=config.seed)
        return train_intents(folder, dataset, backbone, config, refit=False)

    if options.make_start:
        result = trained("clinc150_oos", "train", make_config(start="tokens", seed=13, **PLAIN))
        save_start(Prompt(deep=load(result.draft.tensors)["prompt.deep"]), backbone)
        print(f"wrote {DIALOG_PROMPT}, held-out accuracy {100 * result.held_out.metrics.accuracy:.1f}")
        return
    rows: list[dict[str, Any]] = []
    for seed in options.seeds:
        for start in ("tokens", "dialog"):
            began = time.monotonic()
            result = trained("banking77", "train_10shot", make_config(start=start, seed=seed, **PLAIN))
            accuracy = 100 * result.held_out.metrics.accuracy
            rows.append(
                {"start": start, "seed": seed, "dev_accuracy": accuracy, "s": time.monotonic() - began}
            )
    show("BANKING77 10-shot, dev split, by start", rows, where=machine(compute), target=options.json)


if __name__ == "__main__":
    main()
