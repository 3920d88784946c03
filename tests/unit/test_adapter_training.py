from __future__ import annotations

import numpy as np
import pytest
import torch

from nlu.adapter import Adapter
from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.prompt import Floats
from skills.errors import InputError
from training.adapter_training import LEAST_TEXTS, AdapterConfig, make_adapter
from training.loop import Progress

FLOAT32 = Compute("cpu", Precision.FLOAT32, threads=1)
SUBJECTS = ("card", "refund", "flight", "song", "table", "alarm")
FORMS = (
    "where is my {} {}",
    "the {} {} please",
    "about a {} {}",
    "no {} {}",
    "a new {} {}",
    "is {} {} there",
)
TEXTS = [form.format(number, subject) for subject in SUBJECTS for form in FORMS for number in range(6)]
CONFIG = AdapterConfig(steps=8, rank=2, batch_texts=24, rate=2e-2)


@pytest.fixture(scope="module")
def vectors() -> Floats:
    """What a teacher would say: texts of one subject are alike."""
    generator = np.random.default_rng(0)
    subjects = np.repeat(np.eye(len(SUBJECTS), 12, dtype=np.float32), len(FORMS) * 6, axis=0)
    noisy = subjects + 0.05 * generator.normal(size=subjects.shape).astype(np.float32)
    unit: Floats = noisy / np.linalg.norm(noisy, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="module")
def losses() -> list[float]:
    return []


@pytest.fixture(scope="module")
def adapter(backbone: Backbone, vectors: Floats, losses: list[float]) -> Adapter:
    def on_progress(progress: Progress) -> None:
        losses.append(progress.loss)
        assert (progress.step, progress.steps) == (len(losses), CONFIG.steps)

    return make_adapter(backbone, TEXTS, vectors, CONFIG, FLOAT32, on_progress)


def test_an_adapter_learns_what_is_alike(backbone: Backbone, adapter: Adapter, losses: list[float]) -> None:
    assert losses[-1] < losses[0]  # a running mean
    assert adapter.backbone == backbone.fingerprint
    assert gap(backbone, adapter) > gap(backbone, None) + 0.02


def gap(backbone: Backbone, adapter: Adapter | None) -> float:
    """Return how much more alike two texts of one subject are than two of one form."""
    encoder = backbone.encoder() if adapter is None else adapter.fold_into(backbone.encoder())
    features = []
    for text in ("where is my 7 card", "no 9 card", "where is my 7 song", "no 9 song"):
        ids = torch.tensor([backbone.tokenizer.encode(text).ids])
        with torch.inference_mode():
            mean = encoder(ids, torch.ones_like(ids, dtype=torch.bool))[0].mean(0)
        features.append(mean / mean.norm())
    card, other_card, song, other_song = features
    return float(card @ other_card + song @ other_song - card @ song - other_card @ other_song)


def test_the_same_seed_gives_the_same_adapter(backbone: Backbone, vectors: Floats) -> None:
    def fingerprint(seed: int) -> str:
        config = CONFIG.model_copy(update={"steps": 1, "seed": seed})
        return make_adapter(backbone, TEXTS, vectors, config, FLOAT32).fingerprint

    first = fingerprint(1)
    assert fingerprint(1) == first != fingerprint(2)


def test_too_few_utterances_are_refused(backbone: Backbone, vectors: Floats) -> None:
    texts = TEXTS[: LEAST_TEXTS - 1]
    with pytest.raises(InputError, match="199 different utterances, at least 200 are needed"):
        make_adapter(backbone, texts, vectors[: len(texts)], CONFIG, FLOAT32)
