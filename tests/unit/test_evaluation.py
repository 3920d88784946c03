from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import Engine, make_engine
from nlu.head import IntentHead
from nlu.loaded import LoadedSkill
from nlu.prompt import Prompt, Row
from nlu.tokens import tokenise
from skills.dataset import Dataset
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL, Calibration, SkillVersion
from skills.utterance import Utterance
from training import evaluation
from training.evaluation import encode_texts, evaluate

MakePrompt = Callable[..., Prompt]


@pytest.fixture(scope="module")
def engine(backbone: Backbone) -> Engine:
    return make_engine(backbone, Compute("cpu", Precision.FLOAT32, threads=1), "torch")


@pytest.fixture
def skill(
    backbone: Backbone,
    engine: Engine,
    make_version: Callable[..., SkillVersion],
    make_dataset: Callable[..., Dataset],
) -> LoadedSkill:
    """A skill whose prototypes are the toy utterances' means over the bare backbone."""
    dataset = make_dataset()
    version = make_version(labels=dataset.labels)
    head = IntentHead(
        dataset.labels, np.eye(3, backbone.shape.d_model, dtype=np.float32), 16.0, None, 0.0, Calibration()
    )
    skill = LoadedSkill(version, Prompt(), head)
    features = encode_texts(skill.prompt, [row.text for row in dataset.train], backbone, engine)
    expected = np.array([row.intent for row in dataset.train])
    means = np.stack([features[expected == label].mean(axis=0) for label in dataset.labels])
    prototypes = means / np.linalg.norm(means, axis=1, keepdims=True)
    return replace(skill, intent=replace(head, prototypes=prototypes))


def test_measures_what_the_skill_answers(skill: LoadedSkill, backbone: Backbone, engine: Engine) -> None:
    rows = [
        Utterance("when does my new card arrive", "card_arrival"),
        Utterance("what is the rate for dollars to euros", "exchange_rate"),
        Utterance("what is the rate for dollars to euros", "top_up"),
        Utterance("play some jazz", OUT_OF_SCOPE_LABEL),
    ]
    result = evaluate(skill, rows, backbone, engine)
    assert [each.text for each in result.predictions] == [row.text for row in rows]
    assert [each.expected for each in result.predictions] == [row.intent for row in rows]
    assert [each.answered for each in result.predictions[:3]] == [
        "card_arrival",
        "exchange_rate",
        "exchange_rate",
    ]
    assert result.metrics.rows == 3
    assert result.metrics.oos_rows == 1
    assert result.metrics.accuracy == pytest.approx(2 / 3)


def test_a_prediction_is_what_the_server_would_answer(
    skill: LoadedSkill, backbone: Backbone, engine: Engine, make_prompt: MakePrompt
) -> None:
    assert skill.intent is not None
    calibration = Calibration(temperature=2.0, scope_weight=1.0, scope_bias=-17.0, scope_threshold=0.4)
    skill = replace(skill, prompt=make_prompt(deep=4), intent=replace(skill.intent, calibration=calibration))
    texts = ["how can I top up", "hm", "put fifty pounds on the balance of the account of my brother please"]
    result = evaluate(skill, [Utterance(text, "top_up") for text in texts], backbone, engine)
    for text, prediction in zip(texts, result.predictions, strict=True):
        [states] = engine.encode([Row(tokenise(backbone, text).ids, skill.prompt)])
        assert skill.intent is not None
        answer = skill.intent.answer(text, states)
        assert prediction.answered == answer.ranking[0].name
        assert prediction.confidence == pytest.approx(answer.ranking[0].confidence, abs=1e-5)
        assert prediction.in_scope == pytest.approx(answer.in_scope, abs=1e-5)
        assert prediction.accepted is (answer.in_scope >= 0.4)


def test_batches_keep_the_order_asked(
    skill: LoadedSkill, backbone: Backbone, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a rather longer text than the others are", "hi", "top up my account", "hi", "card"]
    together = encode_texts(skill.prompt, texts, backbone, engine)
    monkeypatch.setattr(evaluation, "BATCH_ROWS", 2)
    np.testing.assert_allclose(encode_texts(skill.prompt, texts, backbone, engine), together, atol=1e-5)
    for text, feature in zip(texts, together, strict=True):
        np.testing.assert_allclose(
            encode_texts(skill.prompt, [text], backbone, engine)[0], feature, atol=1e-5
        )


def test_no_rows_are_refused(skill: LoadedSkill, backbone: Backbone, engine: Engine) -> None:
    with pytest.raises(InputError, match="no rows"):
        evaluate(skill, [], backbone, engine)


def test_an_intent_that_the_skill_does_not_know_is_named(
    skill: LoadedSkill, backbone: Backbone, engine: Engine
) -> None:
    rows = [Utterance("hi", "top_up"), Utterance("hello", "greet", "test.csv", 7)]
    with pytest.raises(
        InputError, match=r"test.csv:7: intent 'greet'.*3 labels of banking@3.*__oos__"
    ) as caught:
        evaluate(skill, rows, backbone, engine)
    assert caught.value.field == "intent"


def test_rows_out_of_scope_alone_are_refused(skill: LoadedSkill, backbone: Backbone, engine: Engine) -> None:
    with pytest.raises(InputError, match="in scope"):
        evaluate(skill, [Utterance("play some jazz", OUT_OF_SCOPE_LABEL)], backbone, engine)
