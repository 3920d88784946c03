"""Whole trainings of a few steps over the embedded backbone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load
from torch import nn

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import Engine, make_engine
from nlu.half import widened
from nlu.head import energy
from nlu.loaded import LoadedSkill, load_skill
from nlu.prompt import Floats, Prompt
from skills.dataset import Dataset, build
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL, Method, SkillVersion
from skills.utterance import Utterance
from training.config import TuningConfig, make_config
from training.evaluation import Evaluation, encode_texts, evaluate
from training.example import Example
from training.loop import Progress, tune
from training.models import DeepPrompted, PromptedEncoder
from training.objective import IntentObjective
from training.trained import Trained
from training.trainer import label_name, train_intents

MakeDataset = Callable[..., Dataset]
MakeVersion = Callable[..., SkillVersion]
MakePrompt = Callable[..., Prompt]
METHODS = [Method.DEEP_PROMPT, Method.SOFT_PROMPT]


@pytest.fixture(scope="module")
def engine(backbone: Backbone) -> Engine:
    return make_engine(backbone, Compute("cpu", Precision.FLOAT32, threads=1), "torch")


def few_steps(**values: object) -> TuningConfig:
    return make_config(
        **({"min_steps": 0, "max_steps": 3, "batch_rows": 8, "prompt_length": 4, "refit_rows": 0} | values)
    )


def loaded(trained: Trained[Evaluation], backbone: Backbone, make_version: MakeVersion) -> LoadedSkill:
    version = make_version(trained.draft)
    return load_skill(version, trained.draft.tensors, backbone)


def weights_sha256(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def held_out_rows(dataset: Dataset) -> list[Utterance]:
    oos = (*dataset.train_oos, *dataset.dev_oos)
    return [*dataset.dev, *(Utterance(text, OUT_OF_SCOPE_LABEL) for text in oos)]


@pytest.mark.parametrize("method", METHODS)
def test_training_changes_no_byte_of_the_backbone(
    backbone: Backbone, make_dataset: MakeDataset, method: Method
) -> None:
    measure = vars(Backbone)["fingerprint"].func  # the property itself remembers
    before = measure(backbone)
    train_intents("toy", make_dataset(), backbone, few_steps(method=method, refit_rows=100))
    assert measure(backbone) == before == backbone.fingerprint


def test_tuning_changes_no_byte_of_its_encoder(backbone: Backbone) -> None:
    """The encoder shares some tensors with the backbone and copies others: none may change."""
    bare = backbone.encoder()
    before = weights_sha256(bare)
    rows = [(71, 1), (27, 183, 1), (341, 1), (2794, 30, 1)]
    encoder = DeepPrompted(bare, rows, prompt_length=4, seed=0)
    untrained = encoder.prompt()
    everything = [Example(place, place // 2) for place in range(4)]
    tune(encoder, IntentObjective(encoder, everything, few_steps()), everything, None, few_steps())
    assert not np.array_equal(encoder.prompt().arrays()[0], untrained.arrays()[0])
    assert weights_sha256(bare) == before


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_bytes(
    backbone: Backbone, make_dataset: MakeDataset, method: Method
) -> None:
    def tensors(seed: int) -> bytes:
        config = few_steps(method=method, seed=seed, start="tokens", max_steps=2)
        return train_intents("toy", make_dataset(), backbone, config).draft.tensors

    first = tensors(1)
    assert tensors(1) == first
    assert tensors(2) != first


@pytest.mark.parametrize("method", METHODS)
def test_what_is_stored_does_what_was_measured(
    backbone: Backbone, engine: Engine, make_dataset: MakeDataset, make_version: MakeVersion, method: Method
) -> None:
    """Steps so large that the last state is far from the best, which is the one that is stored.

    On the adapter three intents are so easy that the temperature is at its bound, which magnifies what half
    precision loses.
    """
    dataset = make_dataset(oos=True)
    config = few_steps(method=method, max_steps=6, patience=1, prompt_rate=0.5, adapter=False)
    trained = train_intents("toy", dataset, backbone, config)
    again = evaluate(loaded(trained, backbone, make_version), held_out_rows(dataset), backbone, engine)
    assert not trained.refitted
    assert len(again.predictions) == len(trained.held_out.predictions) == 6
    for stored, measured in zip(again.predictions, trained.held_out.predictions, strict=True):
        assert (stored.text, stored.expected) == (measured.text, measured.expected)
        assert stored.answered == measured.answered
        assert stored.confidence == pytest.approx(measured.confidence, abs=0.02)  # half precision
        assert stored.in_scope == pytest.approx(measured.in_scope, abs=0.02)


def test_a_few_steps_learn_the_toy_intents(
    backbone: Backbone, engine: Engine, make_dataset: MakeDataset, make_version: MakeVersion
) -> None:
    dataset = make_dataset()
    trained = train_intents("toy", dataset, backbone, few_steps(max_steps=10))
    result = evaluate(loaded(trained, backbone, make_version), dataset.train, backbone, engine)
    assert result.metrics.accuracy == 1


def test_the_draft_tells_where_it_came_from(backbone: Backbone, make_dataset: MakeDataset) -> None:
    config = few_steps(seed=5)
    draft = train_intents("toy", make_dataset(oos=True), backbone, config).draft
    assert (draft.name, draft.method) == ("toy", Method.DEEP_PROMPT)
    assert draft.backbone == backbone.adapted_fingerprint
    assert draft.labels == ("card_arrival", "exchange_rate", "top_up")
    assert draft.provenance.rows == 18
    assert draft.provenance.seed == 5
    assert make_config(**draft.provenance.config) == config
    assert draft.provenance.seconds > 0
    assert {"accuracy", "macro_f1", "ece", "oos_auroc"} <= draft.metrics.keys()


@pytest.mark.parametrize(
    ("settings", "adapted"),
    [
        ({}, True),
        ({"adapter": False}, False),
        ({"adapter_rows": 2}, False),
        ({"method": Method.SOFT_PROMPT}, False),
    ],
)
def test_the_draft_names_the_encoder_that_it_was_tuned_on(
    adapted_backbone: Backbone,
    make_dataset: MakeDataset,
    make_version: MakeVersion,
    settings: dict[str, object],
    adapted: bool,
) -> None:
    trained = train_intents("toy", make_dataset(), adapted_backbone, few_steps(max_steps=1, **settings))
    right = adapted_backbone.adapted_fingerprint if adapted else adapted_backbone.fingerprint
    assert trained.draft.backbone == right
    parent = loaded(trained, adapted_backbone, make_version)
    assert parent.prompt.adapted is adapted
    if settings.get("method") is None:  # what grows stays on the encoder of its parent
        grown = train_intents(
            "toy", make_dataset(), adapted_backbone, few_steps(max_steps=0), grown_from=parent
        )
        assert grown.draft.backbone == right


@pytest.mark.parametrize(
    ("settings", "rate"),
    [({"adapted_rate": 1e-3}, 1e-3), ({"adapter": False, "prompt_rate": 4e-3}, 4e-3)],
)
def test_the_first_step_is_as_large_as_its_rate(
    backbone: Backbone, make_dataset: MakeDataset, settings: dict[str, object], rate: float
) -> None:
    def prompt(steps: int) -> Floats:
        config = few_steps(max_steps=steps, start="quiet", **settings)
        draft = train_intents("toy", make_dataset(), backbone, config).draft
        return widened(load(draft.tensors)["prompt.deep"])

    moved = np.abs(prompt(1) - prompt(0)).max()
    assert moved == pytest.approx(rate, rel=0.2)  # in half precision


def test_the_data_hash_does_not_depend_on_the_split(backbone: Backbone, make_dataset: MakeDataset) -> None:
    def data_sha256(dataset: Dataset) -> str:
        return train_intents("toy", dataset, backbone, few_steps(max_steps=0)).draft.provenance.data_sha256

    first = data_sha256(make_dataset(oos=True, seed=0))
    assert data_sha256(make_dataset(oos=True, seed=1)) == first
    assert data_sha256(make_dataset(oos=False, seed=0)) != first


@pytest.mark.parametrize(
    ("refit", "refit_rows", "runs"),
    [
        (None, 100, {"tune", "refit"}),
        (None, 0, {"tune"}),
        (False, 100, {"tune"}),
        (True, 0, {"tune", "refit"}),
    ],
)
def test_held_out_rows_are_learned_where_there_are_few(
    backbone: Backbone, make_dataset: MakeDataset, refit: bool | None, refit_rows: int, runs: set[str]
) -> None:
    seen: dict[str, Progress] = {}
    trained = train_intents(
        "toy",
        make_dataset(),
        backbone,
        few_steps(refit_rows=refit_rows, max_steps=1),
        refit=refit,
        on_progress=lambda run, progress: seen.update({run: progress}),
    )
    assert seen.keys() == runs
    assert trained.refitted is ("refit" in runs)


@pytest.mark.parametrize("method", METHODS)
def test_both_runs_begin_at_the_start_that_was_given(
    backbone: Backbone,
    make_dataset: MakeDataset,
    make_prompt: MakePrompt,
    monkeypatch: pytest.MonkeyPatch,
    method: Method,
) -> None:
    begun: list[Floats] = []

    def recording_tune(encoder: PromptedEncoder, *args: Any, **options: Any) -> int:
        begun.extend(map(widened, encoder.prompt().arrays()))
        return tune(encoder, *args, **options)

    monkeypatch.setattr("training.trainer.tune", recording_tune)
    start = make_prompt(deep=3) if method is Method.DEEP_PROMPT else make_prompt(soft=3)
    config = few_steps(method=method, max_steps=1)
    train_intents("toy", make_dataset(), backbone, config, start=start, refit=True)
    assert len(begun) == 2
    assert all(np.array_equal(prompt, start.arrays()[0]) for prompt in begun)


@pytest.mark.parametrize("method", METHODS)
def test_a_start_of_the_other_method_is_refused(
    backbone: Backbone, make_dataset: MakeDataset, make_prompt: MakePrompt, method: Method
) -> None:
    start = make_prompt(soft=3) if method is Method.DEEP_PROMPT else make_prompt(deep=3)
    with pytest.raises(InputError, match=method):
        train_intents("toy", make_dataset(), backbone, few_steps(method=method), start=start)


def test_a_refit_takes_the_scope_calibration_along(
    backbone: Backbone, engine: Engine, make_dataset: MakeDataset, make_version: MakeVersion
) -> None:
    dataset = make_dataset()
    texts = [*(row.text for row in dataset.train), *map(label_name, dataset.labels)]

    def mean_logit(*, refit: bool) -> float:
        trained = train_intents("toy", dataset, backbone, few_steps(max_steps=6), refit=refit)
        skill = loaded(trained, backbone, make_version)
        assert skill.intent is not None
        energies = energy(skill.intent.scores(texts, encode_texts(skill.prompt, texts, backbone, engine)))
        calibration = skill.intent.calibration
        return float((calibration.scope_weight * energies + calibration.scope_bias).mean())

    assert mean_logit(refit=True) == pytest.approx(mean_logit(refit=False), abs=0.05)


def test_two_intents_are_enough(backbone: Backbone, engine: Engine, make_version: MakeVersion) -> None:
    rows = [
        Utterance(text, intent)
        for intent, texts in {
            "yes": ["yes", "sure", "of course"],
            "no": ["no", "never", "not at all"],
        }.items()
        for text in texts
    ]
    trained = train_intents("toy", build(rows, seed=0)[0], backbone, few_steps(refit_rows=100))
    result = evaluate(loaded(trained, backbone, make_version), rows, backbone, engine)
    assert len(result.predictions) == 6


def test_without_the_lexical_expert_none_is_stored(
    backbone: Backbone, make_dataset: MakeDataset, make_version: MakeVersion
) -> None:
    trained = train_intents("toy", make_dataset(), backbone, few_steps(lexical=False, refit_rows=100))
    assert trained.draft.head["lexical_weight"] == 0
    head = loaded(trained, backbone, make_version).intent
    assert head is not None and head.lexical is None


@pytest.mark.parametrize("dev", ["none", "out-of-scope rows"])
def test_no_held_out_rows_are_refused(backbone: Backbone, make_dataset: MakeDataset, dev: str) -> None:
    dataset = replace(make_dataset(), dev=(), dev_oos=("play jazz",) if dev != "none" else ())
    with pytest.raises(InputError, match=r"no held-out row.*at least 2 rows") as caught:
        train_intents("toy", dataset, backbone, few_steps())
    assert caught.value.field == "dev"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("card_arrival", "card arrival"),
        ("CardArrival", "card arrival"),
        ("chitchat/ask-name", "chitchat ask name"),
        ("PIN", "pin"),
        ("top_up_by_card_charge?", "top up by card charge"),
        ("Überweisung", "überweisung"),
        ("口座", "口座"),
        ("__", "__"),
        ("🙂", "🙂"),
    ],
)
def test_label_names(label: str, name: str) -> None:
    assert label_name(label) == name
