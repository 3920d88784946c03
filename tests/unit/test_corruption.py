from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.corruption import CorruptionRates, corrupt
from skills.corruption.generator import KINDS
from skills.corruption.sentence import Sentence
from skills.edits import apply_edits
from skills.protection import protected_spans

SENTENCES = [
    "Where can I find a good restaurant in San Jose?",
    "Yes, that's right. I'd like to book two tickets for Monday at 7:30 pm, please.",
    "She doesn't like the movies that we watched, but she always wants to see them.",
    "Thanks for your help. Please send the information to Jo@example.org or @anna_b.",
    "I'm looking for a cheap hotel with a pool, and it costs $12.50 at www.example.org.",
]
NAMES = tuple(CorruptionRates().kinds)
ONLY = {kind: {other: 0.0 for other in NAMES if other != kind} for kind in NAMES}


def wrong(sentences: Iterable[str], rates: dict[str, float], seed: int = 0) -> list[tuple[str, str]]:
    pairs = corrupt(sentences, CorruptionRates(**{"clean": 0.0, **rates}), seed=seed)
    return [(pair.text, pair.corrections[0]) for pair in pairs]


def proposed(kind: str, text: str) -> set[str]:
    """Every text with one error of the kind, over many seeds."""
    sentence = Sentence(text)
    found = set()
    for seed in range(40):
        for error in KINDS[kind](sentence, Random(seed)):  # noqa: S311
            found.add(apply_edits(text, error.edits))
    return found


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("agreement", "It costs ten dollars.", "It cost ten dollars."),
        ("agreement", "It costs ten dollars.", "It costs ten dollar."),
        ("agreement", "There are two rooms.", "There is two rooms."),
        ("agreement", "Does it work?", "Do it work?"),
        ("agreement", "I want to go.", "I wants to go."),
        ("agreement", "Give me information.", "Give me informations."),
        ("agreement", "The movie starts at six.", "The movie start at six."),
        ("article", "I want a room.", "I want room."),
        ("article", "I want a room.", "I want an room."),
        ("article", "A room is free.", "Room is free."),
        ("article", "I am in Paris.", "I am in the Paris."),
        ("article", "I play music.", "I play a music."),
        ("article", "Come in the morning.", "Come in morning."),
        ("preposition", "I live in Paris.", "I live on Paris."),
        ("preposition", "Come on Monday.", "Come in Monday."),
        ("preposition", "I listen to music.", "I listen music."),
        ("preposition", "Tell me more.", "Tell to me more."),
        ("preposition", "It is a kind of song.", "It is a kind song."),
        ("tense", "Did you see it?", "Did you saw it?"),
        ("tense", "I have seen it.", "I have saw it."),
        ("tense", "I'm looking for it.", "I looking for it."),
        ("tense", "I want to go.", "I want go."),
        ("tense", "You can go.", "You can to go."),
        ("tense", "You can go.", "You can going."),
        ("tense", "I agree with you.", "I am agree with you."),
        ("tense", "Where do you live?", "Where you live?"),
        ("word_order", "Where can I go?", "Where I can go?"),
        ("word_order", "What is the address?", "What the address is?"),
        ("word_order", "Tell me what it is.", "Tell me what is it."),
        ("word_order", "I always want it.", "I want always it."),
        ("word_order", "It is a cheap hotel.", "It is a hotel cheap."),
        ("word_order", "Pick it up.", "Pick up it."),
        ("spelling", "They know their way.", "They know there way."),
        ("spelling", "I like it a lot.", "I like it alot."),
        ("spelling", "Thank you so much.", "Thankyou so much."),
        ("casing", "I know Ben Harper.", "i know Ben Harper."),
        ("casing", "I know Ben Harper.", "I know ben harper."),
        ("casing", "I know Ben Harper.", "i know ben harper."),
        ("punctuation", "Yes, it's fine.", "Yes it's fine."),
        ("punctuation", "Yes, it's fine.", "Yes,it's fine."),
        ("punctuation", "Yes, it's fine.", "Yes, its fine."),
        ("punctuation", "Yes, it's fine.", "Yes, it's fine"),
        ("punctuation", "Is it a non-smoking room?", "Is it a non-smoking room."),
        ("punctuation", "Is it a non-smoking room?", "Is it a non smoking room?"),
        ("punctuation", "I see. It is fine.", "I see, it is fine."),
    ],
)
def test_errors_that_people_make_are_made(kind: str, text: str, expected: str) -> None:
    assert expected in proposed(kind, text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("article", "I have a few."),  # "I have few" is right, and means something else
        ("article", "Show me the rooms."),
        ("agreement", "Show me the rooms."),
        ("agreement", "Can you have it?"),
        ("agreement", "Don't go."),
        ("word_order", "Can you go?"),  # "You can go?" is a question, too
        ("preposition", "It is on the list."),
        ("tense", "I liked it."),
    ],
)
def test_what_would_be_right_as_well_is_not_made(kind: str, text: str) -> None:
    changed = {
        "article": {"I have few.", "Show me rooms."},
        "agreement": {"Show me the room.", "Can you has it?", "Doesn't go."},
        "word_order": {"You can go?"},
        "preposition": {"It is in the list."},
        "tense": {"I like it."},
    }
    assert not proposed(kind, text) & changed[kind]


@pytest.mark.parametrize("kind", ONLY)
def test_only_errors_of_the_asked_kinds_are_made(kind: str) -> None:
    for text, correction in wrong(SENTENCES, ONLY[kind]):
        assert text != correction
        assert correction in SENTENCES
    assert wrong(SENTENCES, ONLY[kind])


def test_the_same_seed_makes_the_same_errors_and_another_one_others() -> None:
    sentences = SENTENCES * 5
    assert wrong(sentences, {}, 3) == wrong(sentences, {}, 3)
    assert wrong(sentences, {}, 3) != wrong(sentences, {}, 4)


@given(st.integers(0, 10_000))
def test_what_is_protected_is_never_changed(seed: int) -> None:
    for text, correction in wrong(SENTENCES, {"errors_per_word": 1.0}, seed):
        place = 0
        for start, end in protected_spans(correction):
            place = text.index(correction[start:end], place) + end - start


def test_long_sentences_get_more_errors() -> None:
    few = wrong(SENTENCES, {"errors_per_word": 0.0, **ONLY["spelling"]})
    many = wrong(SENTENCES, {"errors_per_word": 1.0, **ONLY["spelling"]})

    def changed(pairs: list[tuple[str, str]]) -> int:
        return sum(len(set(text.split()) - set(correction.split())) for text, correction in pairs)

    assert changed(many) > 2 * changed(few)


@pytest.mark.parametrize(("clean", "low", "high"), [(0.0, 0, 0), (0.5, 70, 130), (1.0, 200, 200)])
def test_a_share_is_left_alone(clean: float, low: int, high: int) -> None:
    pairs = corrupt(SENTENCES * 40, CorruptionRates(clean=clean), seed=1)
    assert low <= sum(pair.is_right for pair in pairs) <= high


def test_careless_sentences_and_those_without_a_place_are_left_out() -> None:
    assert wrong(["i need a room.", "", "I need a room"], {}) == []
    assert wrong(["Good evening."], ONLY["preposition"]) == []
