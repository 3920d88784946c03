"""How a skill is tuned: every hyper-parameter, its bounds, and why it has the default it has."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from skills.errors import InputError
from skills.skill import Method


class Start(StrEnum):
    """What a deep prompt is before training."""

    DIALOG = "dialog"  # the packaged prompt, where it fits the backbone and the length; else TOKENS
    TOKENS = "tokens"  # keys and values of random tokens of the training rows


class TuningConfig(BaseModel):
    """Settings of one training run; stored with the version, so that it can be made again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Field(Method.DEEP_PROMPT, description="more accurate and faster than soft-prompt here")
    seed: Annotated[int, Field(ge=0, lt=2**32)] = Field(13, description="same seed, same machine, same bytes")
    start: Start = Field(
        Start.DIALOG, description="a prompt tuned on public dialog: +1 point at 10 rows a label"
    )
    prompt_length: Annotated[int, Field(ge=1, le=256)] = Field(
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
    clip_norm: Annotated[float, Field(gt=0)] = Field(
        1.0, description="the prompt's gradient now and then explodes"
    )
    label_names: bool = Field(
        True, description="label names are free training rows: +0.5 points at 10 rows a label"
    )
    lexical: bool = Field(True, description="fuse the n-gram expert where held-out rows say it helps")
    patience: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="held-out measurements without a better one, once half of the steps are done"
    )
    dev_share: Annotated[float, Field(gt=0, lt=0.9)] = Field(
        0.2, description="held out when no dev file is given"
    )
    dev_rows: Annotated[int, Field(ge=1)] = Field(
        1000, description="at most so many; more calibrate no better"
    )
    refit_rows: Annotated[int, Field(ge=0)] = Field(
        3000,
        description="with no dev file and fewer rows than this, a second run learns the held-out rows too",
    )
    in_scope_kept: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.9, description="share of held-out in-scope rows that the out-of-scope threshold must accept"
    )

    def held_out_share(self, rows: int) -> float:
        """Return the share of a file of this many rows that is held out when no dev file is given."""
        return min(self.dev_share, self.dev_rows / rows) if rows else self.dev_share


def make_config(**values: object) -> TuningConfig:
    """Build a config from options.

    Raises:
        InputError: a value is out of bounds; names it, the bound and the field.
    """
    try:
        return TuningConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InputError(f"{field} is {first['input']!r}: {first['msg']}", field=field) from error
