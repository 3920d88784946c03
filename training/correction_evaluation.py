"""How good a grammar skill is on sentences whose corrections are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlu.backbone import Backbone
from nlu.corrected_text import corrected_answer
from nlu.corrector import CorrectionRow, Corrector
from nlu.engine import Engine
from nlu.grammar_head import GrammarHead
from nlu.loaded import LoadedSkill
from nlu.prompt import Prompt, Row
from nlu.tokens import tokenise
from skills.correction import CorrectedSentence
from skills.errors import InputError
from skills.grammar_metrics import GrammarMetrics, grammar_metrics
from skills.parse import GrammarAnswer
from skills.protection import protected_spans

BLOCK_ROWS = 512  # whose hidden states are kept at a time


@dataclass(frozen=True)
class CorrectionPrediction:
    """A sentence with its corrections, and what the skill made of it."""

    sentence: CorrectedSentence
    answer: GrammarAnswer

    @property
    def is_exact(self) -> bool:
        """Whether the answer is one of the corrections."""
        return self.answer.corrected in self.sentence.corrections


@dataclass(frozen=True)
class CorrectionEvaluation:
    """The numbers, and every answer behind them."""

    metrics: GrammarMetrics
    predictions: tuple[CorrectionPrediction, ...]


def evaluate_corrections(
    skill: LoadedSkill,
    sentences: Sequence[CorrectedSentence],
    backbone: Backbone,
    engine: Engine,
    corrector: Corrector,
) -> CorrectionEvaluation:
    """Answer every sentence with the skill as it is stored, and compare.

    Raises:
        InputError: no sentence, or the skill is not one of grammar.
    """
    if skill.grammar is None:
        raise InputError(f"{skill.version} is of kind {skill.version.kind}, not grammar", field="skill")
    return judge_corrections(skill.prompt, skill.grammar, sentences, backbone, engine, corrector)


def judge_corrections(
    prompt: Prompt,
    head: GrammarHead,
    sentences: Sequence[CorrectedSentence],
    backbone: Backbone,
    engine: Engine,
    corrector: Corrector,
) -> CorrectionEvaluation:
    """Answer every sentence with a prompt and a head, and compare; the rest as `evaluate_corrections`."""
    if not sentences:
        raise InputError("no sentences to evaluate on", field="data")
    answers = correct_texts(
        prompt, head, [sentence.text for sentence in sentences], backbone, engine, corrector
    )
    predictions = tuple(map(CorrectionPrediction, sentences, answers))
    metrics = grammar_metrics(
        [sentence.text for sentence in sentences],
        [answer.corrected for answer in answers],
        [sentence.corrections for sentence in sentences],
    )
    return CorrectionEvaluation(metrics, predictions)


def correct_texts(
    prompt: Prompt,
    head: GrammarHead,
    texts: Sequence[str],
    backbone: Backbone,
    engine: Engine,
    corrector: Corrector,
) -> list[GrammarAnswer]:
    """Return the answers to texts, in order; as a server gives them."""
    answers: list[GrammarAnswer] = []
    for start in range(0, len(texts), BLOCK_ROWS):
        answers += _answers(prompt, head, texts[start : start + BLOCK_ROWS], backbone, engine, corrector)
    return answers


def _answers(
    prompt: Prompt,
    head: GrammarHead,
    texts: Sequence[str],
    backbone: Backbone,
    engine: Engine,
    corrector: Corrector,
) -> list[GrammarAnswer]:
    tokens = [tokenise(backbone, text) for text in texts]
    states = engine.encode([Row(each.ids, prompt) for each in tokens])
    wrong = [head.error_probability(each) for each in states]
    flagged = [place for place, probability in enumerate(wrong) if head.flags(probability)]
    rows = [CorrectionRow(tokens[place].ids, states[place], head.prompt) for place in flagged]
    corrections = dict(zip(flagged, corrector.correct(rows), strict=True))
    return [
        corrected_answer(
            backbone.tokenizer,
            text,
            tokens[place],
            corrections[place],
            error_probability=wrong[place],
            protected=protected_spans(text),
        )
        if place in corrections
        else GrammarAnswer(True, 1 - wrong[place], text, ())
        for place, text in enumerate(texts)
    ]
