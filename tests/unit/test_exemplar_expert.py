from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from nlu.exemplar_expert import NEAR, ExemplarExpert
from nlu.half import Floats
from nlu.head import IntentHead
from skills.exemplar import Exemplar
from skills.parse import Outcome
from skills.skill import Calibration

LABELS = ("red", "green", "blue")
SKY = np.array([0.0, 0.0, 0.6, 0.8], np.float32)


def exemplar(text: str, intent: str, number: int = 1) -> Exemplar:
    return Exemplar(number, "colours", text, intent, datetime(2026, 1, 1, tzinfo=UTC), "someone")


def encode(texts: Sequence[str]) -> Floats:
    return np.stack([SKY] * len(texts))


def head_with(*exemplars: Exemplar, **calibration: float) -> IntentHead:
    """A head that takes the sky for red: its prototypes are unit vectors."""
    prototypes = np.eye(3, 4, dtype=np.float32)[[2, 0, 1]]
    head = IntentHead(LABELS, prototypes, 10.0, None, 0.0, Calibration(**calibration))
    return replace(head, exemplars=ExemplarExpert.of(exemplars, LABELS, encode))


def at_cosine(cosine: float) -> Floats:
    """A (1, 4) feature that has this cosine with the sky."""
    across = np.array([0.0, 1.0, 0.0, 0.0], np.float32)
    feature: Floats = (cosine * SKY + np.sqrt(1 - cosine**2) * across)[None].astype(np.float32)
    return feature


def test_a_text_near_an_exemplar_gets_its_intent() -> None:
    head = head_with(exemplar("like the sky", "green"))
    before = replace(head, exemplars=None).predict(["up there"], SKY[None])
    after = head.predict(["up there"], SKY[None])
    assert LABELS[before.probabilities[0].argmax()] == "red"
    assert LABELS[after.probabilities[0].argmax()] == "green"
    assert after.probabilities[0].max() > 0.9


def test_the_nearer_the_surer() -> None:
    head = head_with(exemplar("like the sky", "green"))
    cosines = (NEAR + 0.001, 0.95, 1.0)
    sure = [head.predict(["x"], at_cosine(cosine)).probabilities[0, 1] for cosine in cosines]
    assert sure == sorted(sure) and sure[0] < sure[-1]
    assert all(each >= 0.33 for each in sure)


def test_a_text_far_from_every_exemplar_is_answered_to_the_last_bit_as_before() -> None:
    head = head_with(exemplar("like the sky", "green"), scope_weight=1.0, scope_bias=-3.0)
    features = np.concatenate([at_cosine(cosine) for cosine in (NEAR - 0.001, 0.5, -0.3, 1.0)])
    texts = ["a", "b", "c", "d"]
    before, after = replace(head, exemplars=None).predict(texts, features), head.predict(texts, features)
    assert np.array_equal(after.probabilities[:3], before.probabilities[:3])
    assert np.array_equal(after.in_scope[:3], before.in_scope[:3])
    assert not np.array_equal(after.probabilities[3], before.probabilities[3])


@pytest.mark.parametrize("text", ["like the sky", "Like  the SKY\n"])
def test_an_exemplar_itself_always_has_its_intent_and_is_in_scope(text: str) -> None:
    head = head_with(
        exemplar("like the sky", "green"), scope_weight=1.0, scope_bias=-99.0, scope_threshold=0.5
    )
    states = np.tile(np.array([0.0, 0.0, 1.0, 0.0], np.float32), (2, 1))  # now just as the prototype of red
    answer = head.answer(text, states)
    assert (answer.outcome, answer.ranking[0].name, answer.in_scope) == (Outcome.MATCHED, "green", 1.0)
    other = head.answer("something else", np.tile(at_cosine(0.5), (2, 1)))
    assert other.outcome is Outcome.OUT_OF_SCOPE


def test_of_two_exemplars_the_nearer_counts_and_of_two_spellings_the_newer() -> None:
    head = head_with(exemplar("Sky", "green"), exemplar("sky", "blue", 2))
    assert LABELS[head.predict(["SKY"], SKY[None]).probabilities[0].argmax()] == "blue"


def test_intents_that_the_version_lacks_are_passed_over() -> None:
    assert ExemplarExpert.of([exemplar("x", "violet")], LABELS, encode) is None
    expert = ExemplarExpert.of([exemplar("x", "violet"), exemplar("y", "blue")], LABELS, encode)
    assert expert is not None and [each.text for each in expert.exemplars] == ["y"]


def test_only_new_texts_are_encoded() -> None:
    asked: list[str] = []

    def noting(texts: Sequence[str]) -> Floats:
        asked.extend(texts)
        return encode(texts)

    first = ExemplarExpert.of([exemplar("x", "red"), exemplar("y", "red", 2)], LABELS, noting)
    assert ExemplarExpert.of([exemplar("x", "red"), exemplar("y", "red", 2)], LABELS, noting, first) is first
    second = ExemplarExpert.of([exemplar("y", "blue", 2), exemplar("z", "red", 3)], LABELS, noting, first)
    assert asked == ["x", "y", "z"]
    assert second is not None and second.places.tolist() == [2, 0]
    assert ExemplarExpert.of([], LABELS, noting, second) is None
