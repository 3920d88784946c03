from __future__ import annotations

import pytest

from skills.errors import InputError
from skills.skill import Method
from training.config import (
    Contexts,
    CorrectionConfig,
    JointConfig,
    SlotConfig,
    Start,
    TrainingConfig,
    TuningConfig,
    make_config,
)

CONFIGS = [TuningConfig, SlotConfig, JointConfig, CorrectionConfig]


@pytest.mark.parametrize("config", CONFIGS)
def test_every_setting_tells_why(config: type[TrainingConfig]) -> None:
    assert [name for name, field in config.model_fields.items() if not field.description] == []


def test_options_are_converted() -> None:
    config = make_config(method="soft-prompt", seed="7", start="tokens", prompt_rate=1e-3)
    assert (config.method, config.seed, config.start) == (Method.SOFT_PROMPT, 7, Start.TOKENS)
    assert config.prompt_rate == 1e-3


def test_comes_back_from_the_provenance() -> None:
    config = make_config(seed=7, method="soft-prompt")
    assert make_config(**config.model_dump(mode="json")) == config


def test_options_of_slots_are_converted() -> None:
    config = SlotConfig.make(contexts="off", precision="float32", bare_share="0.25")
    assert (config.contexts, config.precision, config.bare_share) == (Contexts.OFF, "float32", 0.25)


@pytest.mark.parametrize("config", CONFIGS)
def test_defaults_are_within_their_own_bounds(config: type[TrainingConfig]) -> None:
    assert config.make(**config.make().model_dump(mode="json")) == config.make()


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (SlotConfig, "context_share", 1.5),
        (SlotConfig, "invented_share", -0.1),
        (SlotConfig, "misleading_share", 2),
        (SlotConfig, "bare_share", -1),
        (SlotConfig, "context_length", 0),
        (SlotConfig, "contexts", "perhaps"),
        (SlotConfig, "precision", "float16"),
        (SlotConfig, "method", "soft-prompt"),
        (SlotConfig, "scale", 16),
        (JointConfig, "scale", 0),
        (JointConfig, "intent_weight", 0),
        (CorrectionConfig, "start", "dialog"),
        (CorrectionConfig, "clean_left_alone", 0),
        (CorrectionConfig, "detector_weight", -1),
        (CorrectionConfig, "patience", 3),
    ],
)
def test_a_kind_has_its_own_settings(config: type[TrainingConfig], field: str, value: object) -> None:
    with pytest.raises(InputError, match=field) as caught:
        config.make(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("method", "lora"),
        ("seed", -1),
        ("seed", 2**32),
        ("start", "zeros"),
        ("prompt_length", 0),
        ("prompt_length", 257),
        ("epochs", 0),
        ("min_steps", -1),
        ("max_steps", -1),
        ("batch_rows", 1),
        ("prompt_rate", 0.0),
        ("prompt_rate", float("nan")),
        ("head_rate", 1.5),
        ("warmup_share", 1.0),
        ("scale", 0),
        ("label_smoothing", 1.0),
        ("contrastive_weight", -0.1),
        ("contrastive_temperature", 0.0),
        ("clip_norm", 0.0),
        ("label_names", "perhaps"),
        ("patience", 0),
        ("dev_share", 0.0),
        ("dev_share", 0.9),
        ("dev_rows", 0),
        ("refit_rows", -1),
        ("in_scope_kept", 0.5),
        ("in_scope_kept", 1.01),
    ],
)
def test_a_value_out_of_bounds_is_named(field: str, value: object) -> None:
    with pytest.raises(InputError, match=field) as caught:
        make_config(**{field: value})
    assert caught.value.field == field
    assert repr(value) in str(caught.value)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(InputError, match="learning_rate") as caught:
        make_config(learning_rate=0.1)
    assert caught.value.field == "learning_rate"


def test_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_config().seed = 1


@pytest.mark.parametrize(
    ("rows", "share"), [(0, 0.2), (10, 0.2), (5000, 0.2), (10_000, 0.1), (100_000, 0.01)]
)
def test_large_files_hold_out_a_smaller_share(rows: int, share: float) -> None:
    assert make_config(dev_share=0.2, dev_rows=1000).held_out_share(rows) == pytest.approx(share)
