from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest

from nlu.backbone import Backbone
from nlu.bio import span_probabilities
from nlu.prompt import Floats, Prompt
from nlu.slot_head import MAX_ALTERNATIVES, SlotHead, word_features
from nlu.tokens import tokenise
from nlu.words import words
from skills.parse import SlotsAnswer
from skills.resolution import Resolver, SlotType, ValueKind
from skills.slot import SlotLabel

NOW = datetime(2026, 3, 2, 9, 0)
CITY, PERSON = SlotLabel("city", "destination"), SlotLabel("person")
RESOLVER = Resolver({"city": SlotType(ValueKind.LIST, {"New York City": ("New York", "NYC")})})
WIDTH = 8


def make_head(*, temperature: float = 1.0, labels: tuple[SlotLabel, ...] = (CITY, PERSON)) -> SlotHead:
    """A head whose tags are the first dimensions of a word's feature: O, B-0, I-0, B-1, I-1, ..."""
    tags = 2 * len(labels) + 1
    weights = np.eye(tags, WIDTH, dtype=np.float32) / math.sqrt(WIDTH)
    return SlotHead(labels, weights, np.zeros(tags, np.float32), temperature, RESOLVER)


def tagged(backbone: Backbone, text: str, tags: list[int]) -> Floats:
    """States whose words have these tags."""
    tokens = tokenise(backbone, text)
    first = words(text, tokens).first
    assert len(first) == len(tags)
    states = np.zeros((len(tokens.ids), WIDTH), np.float32)
    states[list(first), tags] = 3.0
    return states


def answer(
    backbone: Backbone, text: str, tags: list[int], *, min_confidence: float = 0.0, temperature: float = 0.1
) -> SlotsAnswer:
    states = tagged(backbone, text, tags)
    head = make_head(temperature=temperature)
    return head.answer(text, tokenise(backbone, text), states, now=NOW, min_confidence=min_confidence)


def test_features_are_those_of_first_tokens_at_one_length() -> None:
    states = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    features = word_features(states, (2, 0))
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 2.0, rtol=1e-6)
    np.testing.assert_allclose(features[0] / features[0, 0], states[2] / states[2, 0], rtol=1e-6)
    assert word_features(np.zeros((2, 4), np.float32), (0,)).tolist() == [[0, 0, 0, 0]]
    assert word_features(states, ()).shape == (0, 4)


def test_slots_are_parts_of_the_text_as_it_was_written(backbone: Backbone) -> None:
    text = "  fly Zoe\u0308 to  New York!\n"
    found = answer(backbone, text, [0, 3, 0, 1, 2, 0]).slots
    assert [(slot.label, slot.raw, slot.value) for slot in found] == [
        (PERSON, "Zoe\u0308", "Zoe\u0308"),
        (CITY, "New York", "New York City"),
    ]
    assert all(text[slot.start : slot.end] == slot.raw for slot in found)
    assert all(0.99 < slot.confidence <= 1.0 for slot in found)


def test_several_values_of_one_slot(backbone: Backbone) -> None:
    found = answer(backbone, "Ann Bob", [3, 3]).slots
    assert [slot.raw for slot in found] == ["Ann", "Bob"]


@pytest.mark.parametrize("text", ["x" * 2000, "!"])
def test_no_word_or_no_slot_is_no_answer(backbone: Backbone, text: str) -> None:
    tokens = tokenise(backbone, text)
    states = np.zeros((len(tokens.ids), WIDTH), np.float32)
    states[:, 0] = 1
    assert make_head().answer(text, tokens, states, now=NOW) == SlotsAnswer(())


def test_a_confidence_is_the_probability_of_the_whole_span(backbone: Backbone) -> None:
    text = "New York"
    states = tagged(backbone, text, [1, 2])
    head = make_head(temperature=0.7)
    scores = head.scores(word_features(states, words(text, tokenise(backbone, text)).first))
    np.testing.assert_allclose(scores, np.eye(5, dtype=np.float32)[[1, 2]] / 0.7, rtol=1e-6)
    [slot] = head.answer(text, tokenise(backbone, text), states, now=NOW).slots
    expected = span_probabilities(scores, 0, 2)
    assert slot.confidence == pytest.approx(expected[0])
    [alternative] = slot.alternatives
    assert alternative.label == PERSON
    assert alternative.confidence == pytest.approx(expected[1])


def test_alternatives_are_the_best_three_that_are_at_all_probable(backbone: Backbone) -> None:
    labels = tuple(SlotLabel(name) for name in "abcdef")
    bias = np.full(13, -20.0, np.float32)
    bias[1::2] = [2.0, 4.0, 3.0, 1.0, 0.0, -9.0]
    head = SlotHead(labels, np.zeros((13, WIDTH), np.float32), bias, 1.0, RESOLVER)
    tokens = tokenise(backbone, "six")
    states = np.ones((len(tokens.ids), WIDTH), np.float32)
    [slot] = head.answer("six", tokens, states, now=NOW).slots
    assert str(slot.label) == "b"
    assert [str(each.label) for each in slot.alternatives] == ["c", "a", "d"]
    assert len(slot.alternatives) == MAX_ALTERNATIVES
    certain = SlotHead(labels, head.weights, bias * 9, 1.0, RESOLVER)
    [slot] = certain.answer("six", tokens, states, now=NOW).slots
    assert slot.alternatives == ()


def test_slots_below_the_asked_confidence_are_left_out(backbone: Backbone) -> None:
    [slot] = answer(backbone, "Ann", [3], temperature=1.0).slots
    at_least = slot.confidence
    assert answer(backbone, "Ann", [3], temperature=1.0, min_confidence=at_least).slots == (slot,)
    assert answer(backbone, "Ann", [3], temperature=1.0, min_confidence=at_least + 1e-6).slots == ()


def test_expected_slots_add_their_vectors_to_the_prompt(make_prompt: Callable[..., Prompt]) -> None:
    prompt = make_prompt(deep=4)
    assert prompt.deep is not None
    layers, width = prompt.deep.shape[0], prompt.deep.shape[3]
    expected = np.random.default_rng(0).normal(size=(3, layers, 2, 2, width)).astype(np.float32)
    plain = make_head()
    head = SlotHead(
        plain.labels, plain.weights, plain.bias, 1.0, RESOLVER, expected, ("city", "time", "people")
    )
    extended = head.prompt_for(prompt, ("people", "unheard-of", "city"))
    assert extended.deep is not None
    np.testing.assert_array_equal(extended.deep[:, :, :4], prompt.deep)
    np.testing.assert_array_equal(extended.deep[:, :, 4:6], expected[0])
    np.testing.assert_array_equal(extended.deep[:, :, 6:], expected[2])
    again = head.prompt_for(prompt, ("city", "people", "city"))
    assert again.deep is not None and np.array_equal(again.deep, extended.deep)
    assert head.prompt_for(prompt, ()) is prompt
    assert head.prompt_for(prompt, ("unheard-of",)) is prompt
    assert plain.prompt_for(prompt, ("city",)) is prompt
    soft = make_prompt(soft=3)
    both = head.prompt_for(soft, ("time",))
    assert both.soft is soft.soft and both.deep is not None
    np.testing.assert_array_equal(both.deep, expected[1])
