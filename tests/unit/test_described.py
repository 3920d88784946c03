"""Skills from labels in words: usable without an utterance, better with each, tuned once there are enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import make_engine
from nlu.loaded import LoadedSkill, load_skill
from nlu.prompt import Row
from nlu.tokens import tokenise
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL, Method, SkillKind, SkillVersion
from skills.training_data import TrainingData
from skills.utterance import Utterance
from tests.conftest import TOY_UTTERANCES
from training.config import make_config
from training.evaluation import evaluate
from training.recipes import TUNED_ROWS, prepare
from training.trained import Trained

FLOAT32 = Compute("cpu", Precision.FLOAT32, threads=1)
WORDS = {
    "card_arrival": "the card has not come yet",
    "exchange_rate": "what one currency is worth in another",
    "top_up": "put money into the account",
}
ROWS = [Utterance(text, intent) for intent, texts in TOY_UTTERANCES.items() for text in texts]
CONFIG = make_config(min_steps=1, max_steps=1, batch_rows=4, prompt_length=2)
OUTSIDE = Utterance("who won the game", OUT_OF_SCOPE_LABEL)


def trained(backbone: Backbone, *rows: Utterance, dev: Any = None, **options: Any) -> Trained[Any]:
    data = TrainingData(SkillKind.INTENT, rows, dev, descriptions=WORDS)
    stored = TrainingData.from_bytes(data.to_bytes())
    return prepare("toy", stored, CONFIG).train(backbone, FLOAT32, lambda *_: None, **options)


@pytest.fixture(scope="module")
def described(backbone: Backbone) -> Trained[Any]:
    return trained(backbone, dev=tuple(ROWS))


@pytest.fixture
def load(backbone: Backbone, make_version: Callable[..., SkillVersion]) -> Callable[..., LoadedSkill]:
    return lambda made: load_skill(make_version(made.draft), made.draft.tensors, backbone)


def test_words_alone_make_a_skill(described: Trained[Any], backbone: Backbone, load: Any) -> None:
    skill = load(described)
    assert described.draft.method is Method.DESCRIBED
    assert skill.version.labels == tuple(WORDS)
    assert skill.prompt.adapted and skill.prompt.length == 0
    assert described.held_out.metrics.accuracy >= 0.8
    assert described.draft.metrics["accuracy"] == described.held_out.metrics.accuracy
    found = evaluate(skill, ROWS, backbone, make_engine(backbone, FLOAT32)).metrics
    assert found.accuracy == described.held_out.metrics.accuracy
    assert found.in_scope_accepted == 1.0


def test_without_held_out_rows_nothing_is_measured(backbone: Backbone) -> None:
    made = trained(backbone, OUTSIDE)
    assert (made.held_out, made.draft.metrics) == (None, {})


def test_each_utterance_counts(described: Trained[Any], backbone: Backbone, load: Any) -> None:
    text = "I have dough for you to keep"
    states = make_engine(backbone, FLOAT32).encode(
        [Row(tokenise(backbone, text).ids, load(described).prompt)]
    )

    def confidence(made: Trained[Any], label: str) -> float:
        answer = load(made).intent.answer(text, states[0])
        return next(float(each.confidence) for each in answer.ranking if each.name == label)

    taught = trained(backbone, Utterance("dough for you", "exchange_rate"))
    assert confidence(taught, "exchange_rate") > confidence(described, "exchange_rate") + 0.1


def test_enough_rows_are_tuned_on_and_none_is_held_out_that_is_no_row(
    described: Trained[Any], backbone: Backbone, load: Any
) -> None:
    assert len(ROWS) == TUNED_ROWS * len(WORDS)
    grown = trained(backbone, *ROWS, grown_from=load(described))
    assert grown.draft.method is Method.DEEP_PROMPT
    assert grown.held_out.metrics.rows == len(WORDS)
    assert load(grown).prompt.length == CONFIG.prompt_length


def test_a_label_may_be_in_words_only(backbone: Backbone) -> None:
    rows = [Utterance(row.text, row.intent) for row in ROWS if row.intent != "top_up"]
    rows += [Utterance(f"{row.text} now", row.intent) for row in rows]
    assert trained(backbone, *rows).draft.labels == tuple(WORDS)


def test_a_label_that_was_not_described_is_known_by_name_and_rows(backbone: Backbone) -> None:
    assert trained(backbone, Utterance("bye", "so_long")).draft.labels == (*sorted([*WORDS, "so_long"]),)


def test_held_out_rows_have_known_labels(backbone: Backbone) -> None:
    with pytest.raises(InputError, match="1 held-out intents have no training row"):
        trained(backbone, dev=(Utterance("bye", "so_long"),))
