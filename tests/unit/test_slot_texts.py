from __future__ import annotations

import pytest

from nlu.backbone import Backbone
from skills.slot import SlotLabel
from skills.utterance import Entity, Utterance
from training.example import OUTSIDE
from training.slot_texts import SlotTexts

LABELS = (SlotLabel("city"), SlotLabel("date"))
TEXT = "to New York on Friday"


def texts(backbone: Backbone, *more: str) -> SlotTexts:
    return SlotTexts(
        backbone, [TEXT, *more], labels=LABELS, names=("city", "date"), intents=("book", "cancel")
    )


@pytest.mark.parametrize(
    ("entities", "tags"),
    [
        ([], (0, 0, 0, 0, 0)),
        ([("city", 3, 11)], (0, 1, 2, 0, 0)),
        ([("city", 3, 11), ("date", 15, 21)], (0, 1, 2, 0, 3)),
        ([("city", 3, 6), ("city", 7, 11)], (0, 1, 1, 0, 0)),
        ([("city", 5, 11)], (0, 1, 2, 0, 0)),  # half a word
        ([("city", 3, 5), ("date", 5, 11)], (0, 1, 3, 0, 0)),  # halves of a word: it has one tag
    ],
)
def test_tags(backbone: Backbone, entities: list[tuple[str, int, int]], tags: tuple[int, ...]) -> None:
    row = Utterance(TEXT, "", entities=tuple(Entity(slot, start, end, "") for slot, start, end in entities))
    example = texts(backbone).example(row)
    assert example.tags == tags
    assert len(example.first) == len(tags)


def test_an_example_knows_its_text_its_intent_and_what_was_asked(backbone: Backbone) -> None:
    found = texts(backbone, "hi", TEXT, "yes")
    assert found.all == [TEXT, "hi", "yes"]
    row = Utterance("yes", "cancel", expected_slots=("date", "city", "date", "unheard of"))
    example = found.example(row, bare=True)
    assert (example.place, example.intent, example.expected, example.bare) == (2, 1, (0, 1), True)
    assert found.tokens[example.place].ids == tuple(backbone.tokenizer.encode("yes").ids)
    assert found.example(Utterance("hi", "__oos__")).intent == OUTSIDE


def test_the_same_text_may_be_asked_for_differently(backbone: Backbone) -> None:
    found = texts(backbone)
    first, second = (found.example(Utterance(TEXT, "", expected_slots=(each,))) for each in ("city", "date"))
    assert first.place == second.place
    assert (first.expected, second.expected) == ((0,), (1,))
