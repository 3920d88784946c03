"""The reference ceiling: full fine-tuning of the same encoder, all weights, same head and loss, same rows."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import nn

from benchmarks.setting import arguments, machine, show
from nlu.backbone import Backbone
from nlu.compute import choose
from nlu.prompt import Prompt
from nlu.tokens import tokenise
from skills.formats import read_intents
from training.config import make_config
from training.example import Example
from training.loop import tune
from training.models import Encoded, Expected, PromptedEncoder
from training.objective import IntentObjective
from training.trainer import label_name


class FullyTuned(PromptedEncoder):
    """Not a prompt at all: every weight of the encoder but the embeddings is trained."""

    def __init__(self, backbone: Backbone, rows: Sequence[tuple[int, ...]]) -> None:
        super().__init__(rows)
        self.width = backbone.shape.d_model
        self._encoder = backbone.encoder()
        self._encoder.layers.requires_grad_(True)
        self._encoder.final_norm.requires_grad_(True)

    def parameters(self) -> list[nn.Parameter]:
        """All trained weights."""
        return [parameter for parameter in self._encoder.parameters() if parameter.requires_grad]

    def encode(self, indices: Sequence[int], expected: Expected = ()) -> Encoded:
        """As a prompted encoder, without slots that may be expected."""
        ids = nn.utils.rnn.pad_sequence([torch.tensor(self.rows[i]) for i in indices], batch_first=True)
        lengths = torch.tensor([len(self.rows[i]) for i in indices])
        mask = torch.arange(ids.shape[1]) < lengths[:, None]
        return Encoded(self._encoder(ids, mask), mask)

    def prompt(self) -> Prompt:
        """There is none."""
        return Prompt()


def main() -> None:
    """Train all weights on BANKING77 10-shot and test on the whole test split."""
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=float, default=3e-4, help="AdamW learning rate of the weights")
    parser.add_argument("--steps", type=int, default=540)
    parser.add_argument("--seed", type=int, default=13)
    options = parser.parse_args()
    compute = choose(threads=options.threads)
    torch.manual_seed(options.seed)
    train = read_intents(options.data / "banking77/train_10shot.jsonl").utterances
    test = read_intents(options.data / "banking77/test.jsonl").utterances
    labels = sorted({row.intent for row in train})
    texts = [row.text for row in train] + [label_name(label) for label in labels] + [row.text for row in test]
    targets = [labels.index(row.intent) for row in train] + list(range(len(labels)))
    backbone = Backbone.load()
    encoder = FullyTuned(backbone, [tokenise(backbone, text).ids for text in texts])
    began = time.monotonic()
    config = make_config(seed=options.seed, prompt_rate=options.rate)
    examples = [Example(place, label) for place, label in enumerate(targets)]
    objective = IntentObjective(encoder, examples, config)
    tune(encoder, objective, examples, None, config, steps=options.steps)
    seconds = time.monotonic() - began
    features = encoder.all_features(range(len(targets), len(texts))).numpy()
    answers = (features @ objective.prototypes().T).argmax(axis=1)
    right = sum(labels[answer] == row.intent for answer, row in zip(answers, test, strict=True))
    weights = sum(parameter.numel() for parameter in encoder.parameters())
    row = {
        "set": "banking77-10shot",
        "seed": str(options.seed),
        "rate": options.rate,
        "steps": float(options.steps),
    }
    row |= {"accuracy": 100 * right / len(test), "trained weights": float(weights), "train_s": seconds}
    show(
        "Full fine-tuning of the encoder, no lexical expert",
        [row],
        where=machine(compute),
        target=options.json,
    )


if __name__ == "__main__":
    main()
