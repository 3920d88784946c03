"""How good a skill of slots, or of intents and slots, is on a file of labeled utterances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from nlu.backbone import Backbone
from nlu.engine import Engine
from nlu.head import IntentHead, pooled
from nlu.loaded import LoadedSkill
from nlu.prompt import Prompt, Row
from nlu.slot_head import SlotHead
from nlu.tokens import tokenise
from skills.errors import InputError
from skills.parse import SlotsAnswer
from skills.resolution import Resolver
from skills.slot_metrics import (
    AnsweredSpan,
    SlotMetrics,
    SlotPrediction,
    Span,
    expected_spans,
    slot_metrics,
)
from skills.utterance import Utterance
from training.evaluation import Evaluation, check_intents, encode_rows, judge

NOW = datetime(2000, 1, 1, tzinfo=UTC)  # of no consequence: values are not resolved here


@dataclass(frozen=True)
class SlotEvaluation:
    """The numbers, and every answer behind them; `intents` are those of a joint skill."""

    metrics: SlotMetrics
    predictions: tuple[SlotPrediction, ...]
    intents: Evaluation | None = None

    def as_flat_dict(self) -> dict[str, float]:
        """Return all numbers by name, for the catalog."""
        intents = {} if self.intents is None else self.intents.metrics.as_flat_dict()
        return intents | self.metrics.as_flat_dict()


@dataclass(frozen=True, eq=False)
class SlotReader:
    """What reads slots, and of a joint skill intents as well: a prompt and its heads."""

    prompt: Prompt
    slots: SlotHead
    intent: IntentHead | None = None

    def row(self, token_ids: tuple[int, ...], expected_slots: Sequence[str]) -> Row:
        """Return an utterance as the encoder gets it."""
        return Row(token_ids, self.slots.prompt_for(self.prompt, expected_slots))


def evaluate_slots(
    skill: LoadedSkill,
    utterances: Sequence[Utterance],
    backbone: Backbone,
    engine: Engine,
    *,
    with_context: bool = True,
) -> SlotEvaluation:
    """Answer every utterance with the skill as it is stored, and compare.

    Args:
        skill: of slots, or of intents and slots.
        utterances: rows with slots, for the latter with intents, too.
        backbone: the skill's.
        engine: runs it.
        with_context: tell the skill which slots a row's dialog had asked for.

    Raises:
        InputError: no row, or a row's slot or intent is not one of the skill's, or the skill has no slots.
    """
    if not utterances:
        raise InputError("no rows to evaluate on", field="data")
    if skill.slots is None:
        raise InputError(f"{skill.version} is of kind {skill.version.kind}: it has no slots", field="kind")
    known = set(skill.slots.labels)
    for row in utterances:
        for each in row.entities:
            if each.label not in known:
                raise InputError(
                    f"{row.place}: slot '{each.label}' is not one of the {len(known)} of {skill.version}; "
                    "take it out of the row, or train with it",
                    field="slots",
                )
    if skill.intent is not None:
        check_intents(skill, utterances)
    reader = SlotReader(skill.prompt, skill.slots, skill.intent)
    return judge_slots(reader, utterances, backbone, engine, with_context=with_context)


def judge_slots(
    reader: SlotReader,
    utterances: Sequence[Utterance],
    backbone: Backbone,
    engine: Engine,
    *,
    with_context: bool = True,
) -> SlotEvaluation:
    """Answer utterances that are known to fit, and compare; as `evaluate_slots`."""
    head = replace(reader.slots, resolver=Resolver({}))  # where a value is does not depend on what it means
    tokens = [tokenise(backbone, row.text) for row in utterances]
    rows = [
        reader.row(each.ids, row.expected_slots if with_context else ())
        for each, row in zip(tokens, utterances, strict=True)
    ]
    answers = [SlotsAnswer(())] * len(rows)
    features = np.zeros((len(rows), backbone.shape.d_model), np.float32)
    for place, states in encode_rows(rows, engine):
        answers[place] = head.answer(utterances[place].text, tokens[place], states, now=NOW)
        features[place] = pooled(states)
    intents = None
    if reader.intent is not None:
        texts = [row.text for row in utterances]
        output = reader.intent.predict(texts, features)
        intents = judge(reader.intent, output, texts, [row.intent for row in utterances])
    predictions = _predictions(utterances, answers, intents)
    return SlotEvaluation(slot_metrics(predictions), predictions, intents)


def _predictions(
    utterances: Sequence[Utterance], answers: Sequence[SlotsAnswer], intents: Evaluation | None
) -> tuple[SlotPrediction, ...]:
    right = [None] * len(answers) if intents is None else [not each.misread for each in intents.predictions]
    return tuple(
        SlotPrediction(
            text=row.text,
            expected=expected_spans(row),
            answered=tuple(
                AnsweredSpan(Span(each.start, each.end, each.label), each.confidence) for each in answer.slots
            ),
            intent_right=intent_right,
        )
        for row, answer, intent_right in zip(utterances, answers, right, strict=True)
    )
