"""How each kind of skill is trained on its data: what is doubtful about that, and what then runs.

Torch is imported when a training begins: what is wrong with the data is said at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, cast

from skills.correction import CorrectedSentence
from skills.correction_dataset import build_corrections
from skills.dataset import build, check_intents
from skills.errors import InputError
from skills.resolution import schema_from_data
from skills.skill import OUT_OF_SCOPE_LABEL, SkillKind
from skills.slot_dataset import build_slots
from skills.training_data import TrainingData
from skills.utterance import Utterance

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from nlu.compute import Compute
    from nlu.loaded import LoadedSkill
    from training.checkpoint import Checkpoint
    from training.config import CorrectionConfig, SlotConfig, TrainingConfig, TuningConfig
    from training.trained import OnProgress, Trained

# An intent, on average, from which tuning is worth more than means, where intents are described.
TUNED_ROWS = 5
_TAKES_ALL = "until it is tuned, the skill takes every text for one of its intents: none is out of scope"

Utterances = tuple[Utterance, ...]
Sentences = tuple[CorrectedSentence, ...]


class Options(TypedDict):
    """What trainers of every kind take."""

    on_progress: OnProgress
    checkpoint: Checkpoint | None
    grown_from: LoadedSkill | None


@dataclass(frozen=True)
class Prepared:
    """A training that can begin.

    Args:
        summary: what it is trained on, for the user.
        warnings: what is doubtful about that.
        run: takes a backbone, the compute to use, and options.
        precision: of the frozen weights.
    """

    summary: str
    warnings: tuple[str, ...]
    run: Callable[..., Trained[Any]]
    precision: str = "float32"

    def train(
        self,
        backbone: Backbone,
        compute: Compute,
        on_progress: OnProgress,
        checkpoint: Checkpoint | None = None,
        *,
        grown_from: LoadedSkill | None = None,
    ) -> Trained[Any]:
        """Run it: from where the checkpoint was saved, from a version of the skill, or from the beginning.

        Raises:
            InputError: too few rows are held out, or the skill cannot grow from that version.
        """
        options = Options(on_progress=on_progress, checkpoint=checkpoint, grown_from=grown_from)
        return self.run(backbone, compute, **options)


def prepare(name: str, data: TrainingData, config: TrainingConfig, *, peft: Path | None = None) -> Prepared:
    """Check the data of a training and split it.

    Args:
        name: of the skill.
        data: what it is trained on.
        config: hyper-parameters of the data's kind.
        peft: checkpoint whose soft prompt an intent skill tunes on.

    Raises:
        InputError: the data cannot be trained on.
    """
    if data.kind is SkillKind.INTENT:
        return _intents(name, data, cast("TuningConfig", config), peft)
    if data.kind is SkillKind.GRAMMAR:
        return _corrections(name, data, cast("CorrectionConfig", config))
    return _slots(name, data, cast("SlotConfig", config))


def _intents(name: str, data: TrainingData, config: TuningConfig, peft: Path | None) -> Prepared:
    rows, dev = cast("Utterances", data.train), cast("Utterances | None", data.dev)
    in_scope = [row for row in rows if row.intent != OUT_OF_SCOPE_LABEL]
    descriptions = {**{row.intent: "" for row in in_scope}, **data.descriptions}
    if data.descriptions and len(in_scope) < TUNED_ROWS * len(descriptions):
        return _described(name, descriptions, in_scope, dev or (), config)
    dataset, report = build(rows, dev, dev_share=config.held_out_share(len(rows)), seed=config.seed)
    if not dataset.dev:
        raise InputError(
            "no rows are held out to calibrate on: give some intent at least 2 different rows, or give --dev",
            field="dev",
        )
    if data.descriptions:  # after the split: they are never held out
        told = _in_words(data.descriptions)
        dataset = replace(dataset, train=(*dataset.train, *told), labels=tuple(sorted(descriptions)))

    def run(backbone: Backbone, compute: Compute, **options: Unpack[Options]) -> Trained[Any]:
        from training.peft import import_peft
        from training.trainer import train_intents

        start = None if peft is None else import_peft(peft, backbone.shape)
        return train_intents(name, dataset, backbone, config, start=start, refit=_refit(data), **options)

    oos = len(dataset.train_oos) + len(dataset.dev_oos)
    summary = (
        f"{len(dataset.train):,} rows of {len(dataset.labels)} intents, {len(dataset.dev):,} held out, "
        f"{oos:,} out of scope ({OUT_OF_SCOPE_LABEL})"
    )
    return Prepared(summary, tuple(report.warnings()), run)


def _described(
    name: str,
    descriptions: Mapping[str, str],
    rows: Sequence[Utterance],
    dev: Utterances,
    config: TuningConfig,
) -> Prepared:
    check_intents(_in_words(descriptions), dev)

    def run(backbone: Backbone, compute: Compute, **options: Unpack[Options]) -> Trained[Any]:
        from training.described import describe_intents

        return describe_intents(name, descriptions, rows, dev, backbone, compute, config)

    summary = (
        f"{len(descriptions):,} intents in words and {len(rows):,} rows of them: too few to tune on, from "
        f"{TUNED_ROWS} rows an intent the skill is tuned"
    )
    return Prepared(summary, (_TAKES_ALL,), run)


def _in_words(descriptions: Mapping[str, str]) -> list[Utterance]:
    return [Utterance(text or label, label) for label, text in descriptions.items()]


def _slots(name: str, data: TrainingData, config: SlotConfig) -> Prepared:
    rows, joint = cast("Utterances", data.train), data.kind is SkillKind.JOINT
    dataset, report = build_slots(
        rows,
        cast("Utterances | None", data.dev),
        dev_share=config.held_out_share(len(rows)),
        seed=config.seed,
        with_intents=joint,
    )
    schema = schema_from_data(dataset.train, data.phrases, data.slot_types)

    def run(backbone: Backbone, compute: Compute, **options: Unpack[Options]) -> Trained[Any]:
        from training.slot_trainer import train_slots

        return train_slots(name, dataset, backbone, config, schema, compute, refit=_refit(data), **options)

    intents = f"{len(dataset.intents)} intents and " if joint else ""
    summary = (
        f"{len(dataset.train):,} rows of {intents}{len(dataset.labels)} slots, {len(dataset.dev):,} held out"
    )
    return Prepared(summary, tuple(report.warnings()), run, config.precision)


def _corrections(name: str, data: TrainingData, config: CorrectionConfig) -> Prepared:
    rows, dev = cast("Sentences", data.train), cast("Sentences | None", data.dev)
    share = config.held_out_share(len(rows))
    dataset, warnings = build_corrections(rows, dev, dev_share=share, seed=config.seed)

    def run(backbone: Backbone, compute: Compute, **options: Unpack[Options]) -> Trained[Any]:
        from training.correction_trainer import train_corrections

        return train_corrections(name, dataset, backbone, config, compute, **options)

    wrong = sum(not row.is_right for row in dataset.train)
    summary = f"{len(dataset.train):,} sentences, {wrong:,} of them wrong, {len(dataset.dev):,} held out"
    return Prepared(summary, tuple(warnings), run, config.precision)


def _refit(data: TrainingData) -> bool | None:
    return None if data.dev is None else False  # rows that are called held-out stay so
