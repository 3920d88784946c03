"""Whether a submitted training can run: what a worker would find wrong with it at once."""

from __future__ import annotations

import difflib

from skills.errors import InputError
from skills.job import JobRequest
from skills.training_data import TrainingData
from training.config import CONFIGS
from training.recipes import prepare


def check_submission(request: JobRequest, data: TrainingData) -> None:
    """Check the settings and the rows of a training.

    Raises:
        InputError: a setting is not known or out of bounds, or the rows cannot be trained on.
    """
    config = CONFIGS[request.kind]
    for name in request.config:
        if name not in config.model_fields:
            close = difflib.get_close_matches(name, config.model_fields, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(config.model_fields)}"
            raise InputError(f"a skill of kind {request.kind} has no setting {name!r}; {advice}", field=name)
    prepare(request.skill, data, config.make(**request.config))
