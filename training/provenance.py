"""Where a trained version came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from importlib.metadata import PackageNotFoundError, version

from skills.dataset import data_sha256
from skills.skill import Provenance
from skills.utterance import Utterance
from training.config import TrainingConfig


def provenance(rows: Sequence[Utterance], config: TrainingConfig, seconds: float) -> Provenance:
    """Return what it takes to make a version of labeled utterances again; `seconds` of training."""
    ordered = sorted(
        rows, key=lambda row: (row.intent, row.text, row.expected_slots, tuple(map(astuple, row.entities)))
    )
    return Provenance(
        data_sha256=data_sha256(ordered),  # the same data has the same hash however it was split
        rows=len(rows),
        seed=config.seed,
        config=config.model_dump(mode="json"),
        code_version=code_version(),
        seconds=round(seconds, 1),
    )


def code_version() -> str:
    """Return the version of this program."""
    try:
        return version("softspoken")
    except PackageNotFoundError:  # a source tree that is not installed
        return "unknown"
