from __future__ import annotations

import numpy as np
import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.corrector import Corrector
from nlu.engine import Engine, make_decoder
from nlu.engine.torch_engine import TorchEngine
from nlu.grammar_head import GrammarHead
from nlu.prompt import Prompt
from skills.correction import CorrectedSentence
from skills.errors import InputError
from training.correction_evaluation import correct_texts, judge_corrections
from training.start import grammar_start

COMPUTE = Compute("cpu", Precision.FLOAT32, 1)
WRONG = "she dont know her pin"
RIGHT = "She doesn't know her pin."


@pytest.fixture(scope="module")
def engine(backbone: Backbone) -> Engine:
    return TorchEngine(backbone.encoder(), COMPUTE)


@pytest.fixture(scope="module")
def corrector(backbone: Backbone) -> Corrector:
    return Corrector(make_decoder(backbone, COMPUTE))


def packaged(backbone: Backbone, *, threshold: float = 0.5) -> tuple[Prompt, GrammarHead]:
    vectors = grammar_start(backbone, 16)
    assert vectors is not None
    bias = float(vectors.detector_bias[0])
    head = GrammarHead(vectors.detector, bias, 1.0, 0.0, threshold, vectors.decoder_prompt)
    return Prompt(deep=vectors.encoder), head


def test_the_packaged_prompt_corrects(backbone: Backbone, engine: Engine, corrector: Corrector) -> None:
    prompt, head = packaged(backbone)
    wrong, right = correct_texts(prompt, head, [WRONG, RIGHT], backbone, engine, corrector)
    assert wrong.corrected == RIGHT
    assert not wrong.is_grammatical and wrong.confidence < 0.5
    assert right.is_grammatical and right.corrected == RIGHT and right.edits == ()


def test_what_the_gate_lets_pass_is_left_alone(
    backbone: Backbone, engine: Engine, corrector: Corrector
) -> None:
    prompt, head = packaged(backbone, threshold=1.0)
    [answer] = correct_texts(prompt, head, [WRONG], backbone, engine, corrector)
    assert answer.corrected == WRONG and answer.is_grammatical


def test_answers_do_not_depend_on_their_company(
    backbone: Backbone, engine: Engine, corrector: Corrector
) -> None:
    prompt, head = packaged(backbone, threshold=0.0)
    texts = [WRONG, "i wants a tickets to Oslo", RIGHT, "where I can find it"]
    together = correct_texts(prompt, head, texts, backbone, engine, corrector)
    for text, answer in zip(texts, together, strict=True):
        [alone] = correct_texts(prompt, head, [text], backbone, engine, corrector)
        assert alone.corrected == answer.corrected
        assert np.isclose(alone.confidence, answer.confidence, atol=1e-4)


def test_metrics_are_of_the_answers(backbone: Backbone, engine: Engine, corrector: Corrector) -> None:
    prompt, head = packaged(backbone)
    sentences = [CorrectedSentence(WRONG, (RIGHT,)), CorrectedSentence(RIGHT, (RIGHT,))]
    evaluation = judge_corrections(prompt, head, sentences, backbone, engine, corrector)
    assert evaluation.metrics.exact == 1.0
    assert evaluation.metrics.false_edit_rate == 0.0
    assert [each.is_exact for each in evaluation.predictions] == [True, True]
    with pytest.raises(InputError, match="no sentences"):
        judge_corrections(prompt, head, [], backbone, engine, corrector)
