"""From a data set to a skill draft: tune, calibrate, and learn the held-out rows too where there are few."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from nlu.backbone import Backbone
from nlu.head import IntentHead, energy
from nlu.lexical import LexicalExpert
from nlu.loaded import LoadedSkill, pack_skill
from nlu.prompt import Floats, Prompt
from nlu.tokens import tokenise
from skills.dataset import Dataset
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL, Calibration, Method, SkillDraft, SkillKind
from skills.utterance import Utterance
from training.calibration import calibrate, calibrated_as, lexical_scores, shifted
from training.checkpoint import Checkpoint
from training.config import Start, TuningConfig
from training.evaluation import Evaluation, judge
from training.example import Example
from training.loop import tune
from training.models import DeepPrompted, PromptedEncoder, SoftPrompted
from training.objective import IntentObjective
from training.provenance import provenance
from training.start import dialog_start, starts_quiet, tuned_encoder
from training.trained import OnProgress, Trained
from training.warm_start import check_parent, grown, keep_prototypes, warmed


def train_intents(
    name: str,
    dataset: Dataset,
    backbone: Backbone,
    config: TuningConfig,
    *,
    start: Prompt | None = None,
    grown_from: LoadedSkill | None = None,
    refit: bool | None = None,
    on_progress: OnProgress = lambda run, progress: None,
    checkpoint: Checkpoint | None = None,
) -> Trained[Evaluation]:
    """Train an intent skill.

    Args:
        name: of the skill.
        dataset: rows to train on and held-out rows; the latter choose the best state and calibrate it.
        start: prompt to start from instead of what `config.start` says; its length is taken over.
        grown_from: version to grow from, in fewer steps: its prompt, and its prototypes of the labels here.
            If held-out rows are learned too, so were its own, and what it scores them at tells nothing: the
            skill then keeps its calibration, out-of-scope threshold and weight of n-grams.
        refit: train once more on all rows, held-out ones included; None: as `config.refit_rows` says.
        on_progress: called after every step.
        checkpoint: where to go on after an interruption.

    Raises:
        InputError: there are no held-out rows in scope, or the skill cannot grow from that version.
    """
    _check_held_out(dataset)
    began = time.monotonic()
    torch.manual_seed(config.seed)
    if grown_from is not None and grown_from.version.method is Method.DESCRIBED:
        grown_from = None  # it was never tuned: all that it has learned is among the rows
    if grown_from is not None:
        check_parent(grown_from, SkillKind.INTENT, backbone, dataset.labels)
        start = grown_from.prompt
    config = config.fitted(len(dataset.train), len(dataset.labels))
    texts = _Texts(dataset)
    encoder = _prompted(backbone, texts.all, config, start)
    untrained = encoder.prompt()
    rated = config.rated(adapted=untrained.adapted)
    runs = _Runs(dataset, texts, encoder, untrained, rated, grown_from, on_progress, checkpoint)
    train, dev = texts.examples(dataset.train, names=config.label_names), texts.examples(dataset.dev)
    head, held_out = _calibrated(runs.tuned("tune", train, dev), encoder, texts, dataset, config)
    refitted = len(train) < config.refit_rows if refit is None else refit
    if refitted:
        everything = texts.examples((*dataset.train, *dataset.dev), names=config.label_names)
        head = runs.again(head, train, everything)
    made = provenance(_all_rows(dataset), config, time.monotonic() - began)
    draft = SkillDraft(
        name=name,
        kind=SkillKind.INTENT,
        method=config.method,
        labels=dataset.labels,
        backbone=backbone.fingerprint_for(encoder.prompt()),
        head={"scale": head.scale, "lexical_weight": head.lexical_weight},
        calibration=head.calibration,
        metrics=held_out.metrics.as_flat_dict(),
        provenance=made if grown_from is None else grown(made, grown_from),
        tensors=pack_skill(encoder.prompt(), head),
    )
    return Trained(draft, held_out, refitted)


@dataclass(frozen=True)
class _Runs:
    """What the runs of one training share; each begins with the prompt `untrained`."""

    dataset: Dataset
    texts: _Texts
    encoder: PromptedEncoder
    untrained: Prompt
    config: TuningConfig
    grown_from: LoadedSkill | None
    on_progress: OnProgress
    checkpoint: Checkpoint | None

    def tuned(self, name: str, rows: Sequence[Example], dev: Sequence[Example] | None) -> IntentHead:
        """Tune the encoder, and return what reads intents from it then, not calibrated."""
        config, labels, parent = self.config, self.dataset.labels, self.grown_from
        self.encoder.reset(self.untrained)
        objective = IntentObjective(self.encoder, rows, config)
        if parent is not None and parent.intent is not None:
            keep_prototypes(objective, parent.intent, labels)
        tune(
            self.encoder,
            objective,
            rows,
            dev,
            config if parent is None else warmed(config, len(rows)),
            on_progress=partial(self.on_progress, name),
            checkpoint=self.checkpoint,
            name=name,
        )
        lexical = self.texts.lexical(rows) if config.lexical else None
        return IntentHead(labels, objective.prototypes(), config.scale, lexical, 0.0, Calibration())

    def again(self, head: IntentHead, rows: Sequence[Example], everything: Sequence[Example]) -> IntentHead:
        """Tune on all rows, and return what reads intents then with the calibration of `head`.

        What grows has that of its parent. `rows` are those that `head` has learned.
        """
        if self.grown_from is not None and self.grown_from.intent is not None:
            head = self.grown_from.intent
            self.encoder.reset(self.untrained)
            rows = [each for each in rows if self.dataset.labels[each.intent] in head.labels]
        before = _mean_energy(head, self.encoder, self.texts, rows)
        fresh = calibrated_as(head, self.tuned("refit", everything, None))
        return shifted(fresh, before - _mean_energy(fresh, self.encoder, self.texts, rows))


def _check_held_out(dataset: Dataset) -> None:
    if not dataset.dev:
        raise InputError(
            "no held-out row has an intent, but calibration needs some: give every intent at least 2 rows, "
            "or a dev file",
            field="dev",
        )


class _Texts:
    """Every text of a data set once, in one list that the encoder's rows follow."""

    def __init__(self, dataset: Dataset) -> None:
        self.labels = {label: index for index, label in enumerate(dataset.labels)}
        self.names = [label_name(label) for label in dataset.labels]
        self.oos = [*dataset.train_oos, *dataset.dev_oos]
        utterances = [row.text for row in (*dataset.train, *dataset.dev)]
        self.all = list(dict.fromkeys([*utterances, *self.names, *self.oos]))
        self._place = {text: index for index, text in enumerate(self.all)}

    def indices(self, texts: Sequence[str]) -> list[int]:
        """Return the places of texts in the list."""
        return [self._place[text] for text in texts]

    def examples(self, utterances: Sequence[Utterance], *, names: bool = False) -> list[Example]:
        """Return labeled rows; with `names`, each label's name is a row of that label."""
        examples = [Example(self._place[row.text], self.labels[row.intent]) for row in utterances]
        if names:
            examples += [Example(self._place[name], label) for label, name in enumerate(self.names)]
        return examples

    def lexical(self, examples: Sequence[Example]) -> LexicalExpert:
        """Return the n-gram expert of labeled rows."""
        texts = [self.all[each.place] for each in examples]
        return LexicalExpert.fit(texts, [each.intent for each in examples], len(self.labels))


def label_name(label: str) -> str:
    """Return a label in words: `card_arrival` and `CardArrival` are both `card arrival`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", label)
    return re.sub(r"[^\w]+|_+", " ", spaced).strip().lower() or label


def _prompted(
    backbone: Backbone, texts: Sequence[str], config: TuningConfig, start: Prompt | None
) -> PromptedEncoder:
    """Return an encoder over the texts whose prompt is in its starting state."""
    if start is not None and (start.soft is not None) != (config.method is Method.SOFT_PROMPT):
        raise InputError(f"the prompt to start from is not one of method {config.method}", field="start")
    rows = [tokenise(backbone, text).ids for text in texts]
    length = config.prompt_length if start is None else start.length
    encoder: PromptedEncoder
    if config.method is Method.SOFT_PROMPT:
        encoder = SoftPrompted(backbone, rows, prompt_length=length)
    else:
        bare = tuned_encoder(backbone, config, start)
        if start is None and config.start is Start.DIALOG:
            start = dialog_start(backbone, length, adapted=bare.adapted)
        quiet = starts_quiet(config, bare)
        encoder = DeepPrompted(bare, rows, prompt_length=length, seed=config.seed, quiet=quiet)
    if start is not None:
        encoder.reset(start)
    return encoder


def _calibrated(
    head: IntentHead, encoder: PromptedEncoder, texts: _Texts, dataset: Dataset, config: TuningConfig
) -> tuple[IntentHead, Evaluation]:
    """Calibrate on the held-out rows and all out-of-scope rows, and measure there."""
    held_out = [row.text for row in dataset.dev]
    features = _features(encoder, texts.indices(held_out))
    oos_features = _features(encoder, texts.indices(texts.oos))
    head = calibrate(
        head,
        cosines=features @ head.prototypes.T,
        lexical=lexical_scores(head, held_out),
        labels=np.array([each.intent for each in texts.examples(dataset.dev)]),
        oos_cosines=oos_features @ head.prototypes.T,
        oos_lexical=lexical_scores(head, texts.oos),
        in_scope_kept=config.in_scope_kept,
    )
    judged = [*held_out, *texts.oos]
    expected = [row.intent for row in dataset.dev] + [OUT_OF_SCOPE_LABEL] * len(texts.oos)
    return head, judge(head, head.predict(judged, np.concatenate([features, oos_features])), judged, expected)


def _mean_energy(
    head: IntentHead, encoder: PromptedEncoder, texts: _Texts, examples: Sequence[Example]
) -> float:
    """Return the mean energy of rows that the head was trained on."""
    places = [each.place for each in examples]
    scores = head.scores([texts.all[place] for place in places], _features(encoder, places))
    return float(energy(scores).mean())


def _features(encoder: PromptedEncoder, indices: Sequence[int]) -> Floats:
    if not indices:
        return np.zeros((0, encoder.width), np.float32)
    features: Floats = encoder.all_features(indices).numpy()
    return features


def _all_rows(dataset: Dataset) -> list[Utterance]:
    oos = [Utterance(text, OUT_OF_SCOPE_LABEL) for text in (*dataset.train_oos, *dataset.dev_oos)]
    return [*dataset.train, *dataset.dev, *oos]
