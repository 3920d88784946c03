"""How a skill is tuned: every hyper-parameter, its bounds, and why it has the default it has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nlu.shape import MAX_PROMPT_LENGTH
from skills.errors import InputError
from skills.skill import Method, SkillKind

Precision = Literal["auto", "float32", "bfloat16"]  # as in nlu.compute, which would import torch


class Start(StrEnum):
    """What a deep prompt is before training."""

    DIALOG = "dialog"  # the packaged prompt, where it fits; else QUIET on the adapter, TOKENS without
    TOKENS = "tokens"  # keys and values of random tokens of the training rows
    QUIET = "quiet"  # the same, so small that at first the encoder reads as without a prompt


class Contexts(StrEnum):
    """Whether a slot skill learns what the dialog has just asked for."""

    AUTO = "auto"  # where the data says so for some rows
    ON = "on"  # contexts are made up where the data has none
    OFF = "off"


class TrainingConfig(BaseModel):
    """Settings that every training run has; stored with the version, so that it can be made again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(13, description="same seed, same machine, same bytes")
    prompt_length: Annotated[int, Field(ge=1, le=MAX_PROMPT_LENGTH)] = Field(
        16, description="vectors: 32 gained nothing and store twice the bytes"
    )
    epochs: Annotated[int, Field(ge=1, le=1000)] = Field(
        20, description="upper bound; early stopping ends sooner"
    )
    min_steps: Annotated[int, Field(ge=0, le=100_000)] = Field(
        100, description="a file of a few rows needs more epochs to move the prompt at all"
    )
    max_steps: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        2500,
        description="large files need fewer epochs; keeps 10,000 rows under half an hour on 2 cores",
    )
    batch_rows: Annotated[int, Field(ge=2, le=1024)] = Field(32, description="contrastive pairs need company")
    prompt_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        2e-2, description="prompts need large steps: 5e-3 stalls"
    )
    head_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        1e-2, description="prototypes start at class means"
    )
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="share of steps; then cosine to zero"
    )
    warm_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.25, description="of the planned steps that a skill takes to grow from a stored version"
    )
    warm_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="of the rates then; at the full ones, old labels lose more"
    )
    clip_norm: Annotated[float, Field(gt=0)] = Field(
        1.0, description="the prompt's gradient now and then explodes"
    )
    dev_share: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.2, description="held out when no dev file is given"
    )
    dev_rows: Annotated[int, Field(ge=1)] = Field(
        1000, description="at most so many; more calibrate no better"
    )

    @classmethod
    def make(cls, **values: object) -> Self:
        """Build a config from options.

        Raises:
            InputError: a value is out of bounds; names it, the bound and the field.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise InputError(f"{field} is {first['input']!r}: {first['msg']}", field=field) from error

    def held_out_share(self, rows: int) -> float:
        """Return the share of a file of this many rows that is held out when no dev file is given."""
        return min(self.dev_share, self.dev_rows / rows) if rows else self.dev_share


class LoopConfig(TrainingConfig):
    """Settings of what `training.loop` tunes."""

    start: Start = Field(
        Start.DIALOG, description="a prompt tuned on public dialog: +1 point at 10 rows a label"
    )
    adapter: bool = Field(False, description="tune on the dialog adapter: worse for slots where compared")
    patience: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="held-out measurements without a better one, once half of the steps are done"
    )
    refit_rows: Annotated[int, Field(ge=0)] = Field(
        3000,
        description="with no dev file and fewer rows than this, a second run learns the held-out rows too",
    )


class IntentSettings(BaseModel):
    """Settings of an intent head."""

    scale: Annotated[float, Field(gt=0, le=100)] = Field(
        16.0, description="sharpens cosines before the softmax"
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="keeps few-shot labels from saturating"
    )
    contrastive_weight: Annotated[float, Field(ge=0, le=10)] = Field(
        0.3, description="pulls rows of a label together"
    )
    contrastive_temperature: Annotated[float, Field(gt=0, le=10)] = Field(
        0.1, description="Khosla et al. 2020"
    )
    label_names: bool = Field(
        True, description="label names are free training rows: +0.5 points at 10 rows a label"
    )
    lexical: bool = Field(True, description="fuse the n-gram expert where held-out rows say it helps")
    in_scope_kept: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.9, description="share of held-out in-scope rows that the out-of-scope threshold must accept"
    )


class TuningConfig(IntentSettings, LoopConfig):
    """Settings of an intent skill."""

    adapter: bool = Field(True, description="tune on the dialog adapter, where the backbone has one")
    adapter_rows: Annotated[int, Field(ge=0)] = Field(
        50,
        description="a label, up to which the adapter is taken: it won at 10 and 30, not at 100",
    )
    adapted_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        1e-2, description="of the prompt on the adapter: 3e-3 gives 1 point less at 30 rows a label"
    )
    start: Start = Field(
        Start.DIALOG, description="a prompt tuned on public dialog; on the adapter, one that changes nothing"
    )
    method: Literal[Method.DEEP_PROMPT, Method.SOFT_PROMPT] = Field(
        Method.DEEP_PROMPT, description="more accurate and faster than soft-prompt here"
    )

    def fitted(self, rows: int, labels: int) -> TuningConfig:
        """Return the settings for so many rows to train on: many of them need no adapter."""
        return self if rows <= self.adapter_rows * labels else self.model_copy(update={"adapter": False})

    def rated(self, *, adapted: bool) -> TuningConfig:
        """Return the settings with the prompt's rate on that encoder."""
        return self.model_copy(update={"prompt_rate": self.adapted_rate}) if adapted else self


class SlotConfig(LoopConfig):
    """Settings of a slot skill."""

    start: Start = Field(Start.DIALOG, description="a prompt tuned on public dialog; not compared for slots")
    epochs: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="upper bound; early stopping ends sooner"
    )
    min_steps: Annotated[int, Field(ge=0, le=100_000)] = Field(
        300, description="the tagger starts at zero: 500 rows need 20 epochs"
    )
    batch_rows: Annotated[int, Field(ge=2, le=1024)] = Field(32, description="256 words or so")
    head_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        5e-3, description="1e-2 for the prompt with 2e-3 here: 0.6 F1 less, one run"
    )
    precision: Precision = Field("auto", description="of the frozen weights: bfloat16 where it is faster")
    contexts: Contexts = Field(
        Contexts.AUTO, description="learn what the dialog has asked for, where rows have expected slots"
    )
    context_length: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="prompt vectors of an expected slot"
    )
    context_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1,
        description="of those vectors: seen seldom, they hardly learn at the prompt's rate",
    )
    context_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.6, description="of the times that a row has its context: without one, slots must be found as well"
    )
    invented_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3,
        description="of the times that a row without a context is given one of its own slots as such",
    )
    misleading_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="of invented contexts that name another slot: people do not always answer"
    )
    bare_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.3,
        description="values alone as further rows, their slots expected, as a share of the rows",
    )


class JointConfig(IntentSettings, SlotConfig):
    """Settings of a skill of intents and slots."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="of intents; slots have none"
    )
    intent_weight: Annotated[float, Field(gt=0, le=100)] = Field(
        1.0, description="of the intents' loss beside that of the slots"
    )


class CorrectionConfig(TrainingConfig):
    """Settings of a grammar skill."""

    start: Literal["packaged", "tokens"] = Field(
        "packaged", description="prompts tuned on generated errors, where they fit the backbone"
    )
    epochs: Annotated[int, Field(ge=1, le=1000)] = Field(3, description="upper bound; the best state is kept")
    max_steps: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        1500, description="a step decodes as well, and takes several times as long as one of intents"
    )
    batch_rows: Annotated[int, Field(ge=2, le=1024)] = Field(32, description="1,000 tokens or so")
    prompt_rate: Annotated[float, Field(gt=0, le=1)] = Field(1e-2, description="of both prompts")
    head_rate: Annotated[float, Field(gt=0, le=1)] = Field(2e-3, description="of the detector of errors")
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05, description="share of steps; then cosine to zero"
    )
    precision: Precision = Field("auto", description="of the frozen weights: bfloat16 where it is faster")
    detector_weight: Annotated[float, Field(ge=0, le=100)] = Field(
        0.5, description="of the detector's loss beside that of the corrections"
    )
    clean_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="of the corrections that are training rows themselves, as sentences to leave alone"
    )
    clean_left_alone: Annotated[float, Field(gt=0, le=1)] = Field(
        0.97, description="share of held-out clean sentences that must stay as they are: sets the gate"
    )
    dev_share: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.1, description="held out when no dev file is given"
    )


CONFIGS: dict[SkillKind, type[TrainingConfig]] = {
    SkillKind.INTENT: TuningConfig,
    SkillKind.SLOTS: SlotConfig,
    SkillKind.JOINT: JointConfig,
    SkillKind.GRAMMAR: CorrectionConfig,
}


def make_config(**values: object) -> TuningConfig:
    """Build the config of an intent skill, as `TrainingConfig.make`."""
    return TuningConfig.make(**values)
