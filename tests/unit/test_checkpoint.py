"""Trainings that are interrupted, and go on from the bytes that they saved."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from skills.correction import CorrectedSentence
from skills.correction_dataset import CorrectionDataset
from skills.dataset import Dataset
from skills.skill import Method
from skills.slot_dataset import build_slots
from skills.utterance import Entity, Utterance
from training.checkpoint import Checkpoint
from training.config import CorrectionConfig, JointConfig, make_config
from training.correction_trainer import train_corrections
from training.loop import Progress
from training.slot_trainer import train_slots
from training.trained import OnProgress
from training.trainer import train_intents

Train = Callable[[Checkpoint | None, OnProgress], bytes]  # returns the skill's tensors
MakeDataset = Callable[..., Dataset]

FLOAT32 = Compute("cpu", Precision.FLOAT32, threads=1)
TINY: dict[str, Any] = {"min_steps": 0, "max_steps": 6, "batch_rows": 6, "prompt_length": 2}
SENTENCES = (
    ("I has a cat.", "I have a cat."),
    ("She have a dog.", "She has a dog."),
    ("They has two birds.", "They have two birds."),
)


class Killed(Exception):
    """Stands for the end of a process."""


@dataclass
class Store:
    """Keeps every state that a training has saved, and remembers the steps that it took."""

    states: list[bytes] = field(default_factory=list)
    steps: list[tuple[str, int]] = field(default_factory=list)

    def checkpoint(self, *, seconds: float = 0.0) -> Checkpoint:
        return Checkpoint(self.states[-1] if self.states else None, self.states.append, seconds=seconds)

    def die_at(self, run: str, step: int) -> OnProgress:
        def on_progress(name: str, progress: Progress) -> None:
            self.steps.append((name, progress.step))
            if (name, progress.step) == (run, step):
                raise Killed

        return on_progress


def intents(dataset: Dataset, backbone: Backbone, **settings: object) -> Train:
    config = make_config(**{**TINY, "refit_rows": 100, **settings})

    def train(checkpoint: Checkpoint | None, on_progress: OnProgress) -> bytes:
        return train_intents(
            "toy", dataset, backbone, config, checkpoint=checkpoint, on_progress=on_progress
        ).draft.tensors

    return train


def joint(backbone: Backbone) -> Train:
    rows = [
        Utterance(
            f"{verb} {city}", verb, entities=(Entity("city", 5, 5 + len(city), city),), expected_slots=asked
        )
        for verb in ("book", "drop")
        for city, asked in (("Oslo", ()), ("Rome", ("city",)), ("Porto", ()), ("Bergen", ("city",)))
    ]
    dataset = build_slots(rows, seed=0, with_intents=True)[0]
    config = JointConfig.make(**TINY, refit_rows=100, head_rate=0.1)

    def train(checkpoint: Checkpoint | None, on_progress: OnProgress) -> bytes:
        return train_slots(
            "trips",
            dataset,
            backbone,
            config,
            {},
            FLOAT32,
            checkpoint=checkpoint,
            on_progress=on_progress,
        ).draft.tensors

    return train


def corrections(backbone: Backbone) -> Train:
    rows = tuple(CorrectedSentence(text, (right,)) for text, right in SENTENCES)
    dataset = CorrectionDataset(rows, rows)
    config = CorrectionConfig.make(**TINY | {"min_steps": 6})

    def train(checkpoint: Checkpoint | None, on_progress: OnProgress) -> bytes:
        return train_corrections(
            "grammar", dataset, backbone, config, FLOAT32, checkpoint=checkpoint, on_progress=on_progress
        ).draft.tensors

    return train


@pytest.fixture(params=["deep", "soft", "joint", "grammar"])
def train(request: pytest.FixtureRequest, backbone: Backbone, make_dataset: MakeDataset) -> Train:
    if request.param == "joint":
        return joint(backbone)
    if request.param == "grammar":
        return corrections(backbone)
    method = Method.DEEP_PROMPT if request.param == "deep" else Method.SOFT_PROMPT
    return intents(make_dataset(), backbone, method=method)


def nothing(run: str, progress: Progress) -> None:
    """Watch no step."""


def interrupted(train: Train, store: Store, run: str, step: int) -> None:
    with pytest.raises(Killed):
        train(store.checkpoint(), store.die_at(run, step))


def test_a_resumed_training_makes_the_same_bytes(train: Train) -> None:
    """Killed twice: the second process goes on after the last step that was saved."""
    store = Store()
    whole = train(None, nothing)
    interrupted(train, store, "tune", 3)
    interrupted(train, store, "tune", 5)
    assert train(store.checkpoint(), store.die_at("no run", 0)) == whole
    tuned = [step for name, step in store.steps if name == "tune"]
    assert tuned == [1, 2, 3, 3, 4, 5, 5, 6]


def test_a_finished_run_is_not_made_again(backbone: Backbone, make_dataset: MakeDataset) -> None:
    train, store = intents(make_dataset(), backbone, patience=1, prompt_rate=0.3, max_steps=12), Store()
    whole = train(None, nothing)
    interrupted(train, store, "refit", 2)
    store.steps.clear()
    assert train(store.checkpoint(), store.die_at("no run", 0)) == whole
    assert store.steps[0] == ("refit", 2)


def test_states_are_saved_no_more_often_than_asked(backbone: Backbone, make_dataset: MakeDataset) -> None:
    store = Store()
    intents(make_dataset(), backbone)(store.checkpoint(seconds=1e6), nothing)
    assert len(store.states) == 2  # the end of each run


def other_rows(dataset: Dataset) -> Dataset:
    first, *rest = dataset.train
    return replace(dataset, train=(replace(first, text="not what it was"), *rest))


@pytest.mark.parametrize(
    ("change", "settings"),
    [(other_rows, {}), (None, {"seed": 14}), (None, {"prompt_length": 3}), (None, {"max_steps": 5})],
)
def test_the_checkpoint_of_another_task_is_ignored(
    backbone: Backbone,
    make_dataset: MakeDataset,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Dataset], Dataset] | None,
    settings: dict[str, object],
) -> None:
    store, dataset = Store(), make_dataset()
    interrupted(intents(dataset, backbone), store, "refit", 2)
    other = intents(change(dataset) if change else dataset, backbone, **settings)
    with caplog.at_level(logging.WARNING, "training.checkpoint"):
        tensors = other(store.checkpoint(), nothing)
    assert [record.message for record in caplog.records] == [
        "the checkpoint is of other rows or settings: training begins anew"
    ]
    assert tensors == other(None, nothing)


@pytest.mark.parametrize("damage", [lambda blob: blob[:-10], lambda blob: b"no tensors"])
def test_a_damaged_checkpoint_is_ignored(
    backbone: Backbone,
    make_dataset: MakeDataset,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
) -> None:
    train, store = intents(make_dataset(), backbone), Store()
    interrupted(train, store, "tune", 3)
    store.states.append(damage(store.states[-1]))
    with caplog.at_level(logging.WARNING, "training.checkpoint"):
        assert train(store.checkpoint(), nothing) == train(None, nothing)
    assert "the checkpoint is damaged" in caplog.text


def test_a_state_is_small(backbone: Backbone, make_dataset: MakeDataset) -> None:
    """Four times the parameters at most: nothing that grows with the rows or the backbone."""
    store = Store()
    intents(make_dataset(), backbone, prompt_length=16)(store.checkpoint(), nothing)
    shape = backbone.shape
    parameters = 16 * 2 * shape.prompted_layers * shape.d_attention + 3 * shape.d_model
    assert max(map(len, store.states)) < 4 * 4 * parameters + 10_000
