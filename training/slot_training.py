"""The runs of one slot skill: the encoder that they share, and what they make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from nlu.backbone import Backbone
from nlu.compute import Compute
from nlu.engine import Engine
from nlu.head import IntentHead, energy
from nlu.lexical import LexicalExpert
from nlu.loaded import LoadedSkill
from nlu.slot_head import SlotHead
from skills.resolution import Resolver
from skills.skill import Calibration
from skills.slot_dataset import SlotDataset
from skills.utterance import Utterance
from training.calibration import calibrated_as, shifted
from training.checkpoint import Checkpoint
from training.config import JointConfig, SlotConfig, Start
from training.example import OUTSIDE, Example
from training.loop import tune
from training.models import DeepPrompted
from training.objective import IntentObjective, Objective
from training.slot_calibration import calibrated
from training.slot_context import ContextDraw, bare_answers, learns_contexts
from training.slot_evaluation import SlotReader
from training.slot_objective import JointObjective, SlotObjective
from training.slot_texts import SlotTexts
from training.snapshot import Snapshot
from training.start import dialog_start, starts_quiet, tuned_encoder
from training.trained import OnProgress
from training.trainer import label_name
from training.warm_start import keep_expected, keep_prototypes, keep_tagger, warmed


class SlotTraining:
    """Tunes, calibrates and tunes again; with a `JointConfig`, intents as well as slots."""

    def __init__(
        self,
        dataset: SlotDataset,
        backbone: Backbone,
        config: SlotConfig,
        resolver: Resolver,
        compute: Compute,
        *,
        grown_from: LoadedSkill | None,
        on_progress: OnProgress,
        checkpoint: Checkpoint | None,
    ) -> None:
        self._dataset = dataset
        self._config = config
        self._resolver = resolver
        self._parent = grown_from
        self._on_progress = on_progress
        self._checkpoint = checkpoint
        self._slots = tuple(sorted({label.slot for label in dataset.labels}))
        rows = (*dataset.train, *dataset.dev)
        self._names = self._slots if learns_contexts(rows, self._slots, config) else ()
        self._bare = bare_answers(dataset.train, dataset.labels, config) if self._names else []
        self._intent_names = _intent_names(dataset, config)
        self._texts = SlotTexts(
            backbone,
            [*(row.text for row in (*rows, *self._bare)), *self._intent_names],
            labels=dataset.labels,
            names=self._names,
            intents=dataset.intents,
        )
        self._encoder = self._begun(backbone, compute)
        self._untrained_vectors = self._encoder.expected()
        if grown_from is not None and grown_from.slots is not None:
            keep_expected(self._encoder, grown_from.slots, self._names)
        self._untrained = Snapshot([*self._encoder.parameters(), *self._encoder.context_parameters()])

    def tune(
        self, rows: Sequence[Utterance], dev: Sequence[Utterance] | None, *, name: str = "tune"
    ) -> SlotReader:
        """Tune from where the encoder is, and return what reads slots then, not calibrated.

        `name` is that of the run.
        """
        examples = self._examples(rows)
        held_out = None if dev is None else [self._texts.example(row) for row in dev]
        slots = SlotObjective(self._encoder.width, len(self._dataset.labels), self._draw())
        if self._parent is not None and self._parent.slots is not None:
            keep_tagger(slots, self._parent.slots, self._dataset.labels)
        config, inside = self._config, [each for each in examples if each.intent != OUTSIDE]
        if not isinstance(config, JointConfig):
            self._tune(name, slots, examples, held_out)
            return SlotReader(self._encoder.prompt(), self._slot_head(slots))
        intents = IntentObjective(self._encoder, inside, config)
        if self._parent is not None and self._parent.intent is not None:
            keep_prototypes(intents, self._parent.intent, self._dataset.intents)
        joint = JointObjective(intents, slots, intent_weight=config.intent_weight)
        self._tune(name, joint, examples, held_out)
        lexical = self._lexical(inside) if config.lexical else None
        head = IntentHead(
            self._dataset.intents, intents.prototypes(), config.scale, lexical, 0.0, Calibration()
        )
        return SlotReader(self._encoder.prompt(), self._slot_head(slots), head)

    def calibrated(self, reader: SlotReader, engine: Engine) -> SlotReader:
        """Return the reader with honest confidences; the engine encodes the held-out rows."""
        config = self._config
        in_scope_kept = config.in_scope_kept if isinstance(config, JointConfig) else 1.0
        return calibrated(reader, self._dataset, self._texts, engine, in_scope_kept=in_scope_kept)

    def again(self, reader: SlotReader) -> SlotReader:
        """Tune from the beginning on all rows, and return that with the calibration of `reader`.

        What grows has that of its parent, see `train_intents`.
        """
        if self._parent is not None and self._parent.slots is not None:
            self._untrained.restore()
            reader = SlotReader(self._parent.prompt, self._parent.slots, self._parent.intent)
        before = self._mean_energy(reader.intent)
        self._untrained.restore()
        rows = (*self._dataset.train, *self._dataset.dev)
        fresh = self.tune(rows, None, name="refit")
        slots = replace(fresh.slots, temperature=reader.slots.temperature)
        if reader.intent is None or fresh.intent is None:
            return replace(fresh, slots=slots)
        intent = calibrated_as(reader.intent, fresh.intent)
        intent = shifted(intent, before - self._mean_energy(intent))
        return replace(fresh, slots=slots, intent=intent)

    def _begun(self, backbone: Backbone, compute: Compute) -> DeepPrompted:
        config = self._config
        start = None if self._parent is None else self._parent.prompt
        bare = tuned_encoder(backbone, config, start)
        encoder = DeepPrompted(
            bare.to(compute.dtype),
            [tokens.ids for tokens in self._texts.tokens],
            prompt_length=config.prompt_length if self._parent is None else self._parent.prompt.length,
            seed=config.seed,
            quiet=starts_quiet(config, bare),
            expected_slots=(len(self._names), self._context_length()),
        )
        if start is None and config.start is Start.DIALOG:
            start = dialog_start(backbone, config.prompt_length, adapted=bare.adapted)
        if start is not None:
            encoder.reset(start)
        return encoder

    def _context_length(self) -> int:
        slots = None if self._parent is None else self._parent.slots
        return (
            self._config.context_length
            if slots is None or slots.expected is None
            else slots.expected.shape[3]
        )

    def _tune(
        self,
        name: str,
        objective: Objective,
        examples: Sequence[Example],
        held_out: Sequence[Example] | None,
    ) -> None:
        config = self._config if self._parent is None else warmed(self._config, len(examples))
        tune(
            self._encoder,
            objective,
            examples,
            held_out,
            config,
            context_rate=config.context_rate,
            on_progress=partial(self._on_progress, name),
            checkpoint=self._checkpoint,
            name=name,
        )

    def _examples(self, rows: Sequence[Utterance]) -> list[Example]:
        """Return rows to train on, with bare answers and the names of intents."""
        return [
            *(self._texts.example(row) for row in rows),
            *(self._texts.example(row, bare=True) for row in self._bare),
            *(
                Example(self._texts.place(name), intent=index)
                for index, name in enumerate(self._intent_names)
            ),
        ]

    def _draw(self) -> ContextDraw:
        slot_of = tuple(self._slots.index(label.slot) for label in self._dataset.labels)
        return ContextDraw(len(self._names), slot_of, self._config)

    def _slot_head(self, objective: SlotObjective) -> SlotHead:
        """Return the head as it is now; vectors that nothing has trained are left out."""
        weights, neighbours, bias = objective.weights()
        vectors = self._encoder.expected()
        trained = [
            index
            for index in range(len(self._names))
            if not np.array_equal(vectors[index], self._untrained_vectors[index])
        ]
        return SlotHead(
            labels=self._dataset.labels,
            weights=weights,
            neighbours=neighbours,
            bias=bias,
            temperature=1.0,
            resolver=self._resolver,
            expected=vectors[trained] if trained else None,
            expected_names=tuple(self._names[index] for index in trained),
        )

    def _lexical(self, examples: Sequence[Example]) -> LexicalExpert:
        texts = [self._texts.all[each.place] for each in examples]
        return LexicalExpert.fit(texts, [each.intent for each in examples], len(self._dataset.intents))

    def _mean_energy(self, head: IntentHead | None) -> float:
        """Return the mean energy of the training rows that have one of its intents; 0 without intents."""
        if head is None:
            return 0.0
        texts = [row.text for row in self._dataset.train if row.intent in head.labels]
        features = self._encoder.all_features([self._texts.place(text) for text in texts]).numpy()
        return float(energy(head.scores(texts, features)).mean())


def _intent_names(dataset: SlotDataset, config: SlotConfig) -> list[str]:
    """Return the names of intents that are training rows."""
    named = isinstance(config, JointConfig) and config.label_names
    return [label_name(intent) for intent in dataset.intents] if named else []
