"""How each kind of skill is trained from files: what is read, what is doubtful, what then runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL, SkillKind

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from nlu.compute import Compute
    from training.cli.tuning import Tuning
    from training.config import CorrectionConfig, SlotConfig, TuningConfig
    from training.trained import OnProgress, Trained

_SHOWN = 5  # bad rows in a warning


@dataclass(frozen=True)
class Prepared:
    """A training that can begin.

    Args:
        summary: what it is trained on, for the user.
        warnings: what is doubtful about that.
        train: runs it.
        precision: of the frozen weights.
    """

    summary: str
    warnings: tuple[str, ...]
    train: Callable[[Backbone, Compute, OnProgress], Trained[Any]]
    precision: str = "float32"


def prepare(tuning: Tuning) -> Prepared:
    """Read and check the data of a training.

    Raises:
        InputError: a file cannot be read, or cannot be trained on.
    """
    return _PREPARATIONS[tuning.kind](tuning)


def _intents(tuning: Tuning) -> Prepared:
    from skills.dataset import build

    config = cast("TuningConfig", tuning.config)
    train, skipped = tuning.files.read()
    outside, outside_skipped = tuning.files.read_out_of_scope(tuning.oos)
    rows = (*train, *outside)
    dev, dev_skipped = tuning.files.read(tuning.dev) if tuning.dev else (None, ())
    dataset, report = build(rows, dev, dev_share=config.held_out_share(len(rows)), seed=config.seed)
    if not dataset.dev:
        raise InputError(
            "no rows are held out to calibrate on: give some intent at least 2 different rows, or give --dev",
            field="dev",
        )

    def run(backbone: Backbone, compute: Compute, on_progress: OnProgress) -> Trained[Any]:
        from training.peft import import_peft
        from training.trainer import train_intents

        start = None if tuning.peft is None else import_peft(tuning.peft, backbone.shape)
        return train_intents(
            tuning.name, dataset, backbone, config, start=start, refit=_refit(tuning), on_progress=on_progress
        )

    oos = len(dataset.train_oos) + len(dataset.dev_oos)
    summary = (
        f"{len(dataset.train):,} rows of {len(dataset.labels)} intents, {len(dataset.dev):,} held out, "
        f"{oos:,} out of scope ({OUT_OF_SCOPE_LABEL})"
    )
    doubts = _skip_warnings((*skipped, *outside_skipped, *dev_skipped))
    return Prepared(summary, (*doubts, *report.warnings()), run)


def _slots(tuning: Tuning) -> Prepared:
    from skills.resolution import read_schema, schema_from_data
    from skills.slot_dataset import build_slots

    config, joint = cast("SlotConfig", tuning.config), tuning.kind is SkillKind.JOINT
    given = {} if tuning.slot_types is None else read_schema(tuning.slot_types)
    found = tuning.files.read_slots()
    outside, outside_skipped = tuning.files.read_out_of_scope(tuning.oos)
    rows = (*found.utterances, *outside)
    dev = tuning.files.read_slots(tuning.dev) if tuning.dev else None
    dataset, report = build_slots(
        rows,
        None if dev is None else dev.utterances,
        dev_share=config.held_out_share(len(rows)),
        seed=config.seed,
        with_intents=joint,
    )
    schema = schema_from_data(dataset.train, found.phrases, given)

    def run(backbone: Backbone, compute: Compute, on_progress: OnProgress) -> Trained[Any]:
        from training.slot_trainer import train_slots

        return train_slots(
            tuning.name,
            dataset,
            backbone,
            config,
            schema,
            compute,
            refit=_refit(tuning),
            on_progress=on_progress,
        )

    intents = f"{len(dataset.intents)} intents and " if joint else ""
    summary = (
        f"{len(dataset.train):,} rows of {intents}{len(dataset.labels)} slots, {len(dataset.dev):,} held out"
    )
    doubts = _skip_warnings((*found.skipped, *outside_skipped, *(() if dev is None else dev.skipped)))
    return Prepared(summary, (*doubts, *report.warnings()), run, config.precision)


def _corrections(tuning: Tuning) -> Prepared:
    from skills.correction_dataset import build_corrections

    config = cast("CorrectionConfig", tuning.config)
    rows, skipped = tuning.files.read_corrections()
    dev, dev_skipped = tuning.files.read_corrections(tuning.dev) if tuning.dev else (None, ())
    share = config.held_out_share(len(rows))
    dataset, warnings = build_corrections(rows, dev, dev_share=share, seed=config.seed)

    def run(backbone: Backbone, compute: Compute, on_progress: OnProgress) -> Trained[Any]:
        from training.correction_trainer import train_corrections

        return train_corrections(tuning.name, dataset, backbone, config, compute, on_progress=on_progress)

    wrong = sum(not row.is_right for row in dataset.train)
    summary = f"{len(dataset.train):,} sentences, {wrong:,} of them wrong, {len(dataset.dev):,} held out"
    return Prepared(summary, (*_skip_warnings((*skipped, *dev_skipped)), *warnings), run, config.precision)


_PREPARATIONS: dict[SkillKind, Callable[[Tuning], Prepared]] = {
    SkillKind.INTENT: _intents,
    SkillKind.SLOTS: _slots,
    SkillKind.JOINT: _slots,
    SkillKind.GRAMMAR: _corrections,
}


def _refit(tuning: Tuning) -> bool | None:
    return False if tuning.dev else None  # rows of a file that is called held-out stay so


def _skip_warnings(skipped: Sequence[InputError]) -> list[str]:
    more = [f"and {len(skipped) - _SHOWN:,} more"] if len(skipped) > _SHOWN else []
    lines = [*map(str, skipped[:_SHOWN]), *more]
    return [f"bad rows, skipped ({len(skipped):,}): {'; '.join(lines)}"] if skipped else []
