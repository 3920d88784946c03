from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.data_report import Repeat
from skills.dataset import data_sha256
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.slot import SlotLabel
from skills.slot_dataset import build_slots, check_slots, split_slots
from skills.utterance import Entity, Utterance


def row(
    marked: str, *expected: str, intent: str = "", file: str = "train.jsonl", number: int = 1
) -> Utterance:
    """Make a row of text in which each slot is one word, marked as `word/slot`."""
    text, entities = "", []
    for word in marked.split(" "):
        value, _, label = word.partition("/")
        if label:
            slot, _, role = label.partition(":")
            entities.append(Entity(slot, len(text), len(text) + len(value), value, role))
        text += value + " "
    return Utterance(text[:-1], intent, file, number, tuple(entities), expected)


def rows(*marked: str, file: str = "train.jsonl", intent: str = "") -> list[Utterance]:
    return [row(each, file=file, number=number, intent=intent) for number, each in enumerate(marked, start=1)]


def pairs(found: tuple[Repeat, ...]) -> list[tuple[str, str]]:
    return [(each.row.place, each.earlier.place) for each in found]


def test_everything_doubtful_is_reported_with_its_place() -> None:
    train = [
        *rows("to Rome/city", "TO  Rome/city", "to Rome", "at 8/time", "fly Bonn/city:to", "in Oslo/city"),
        row("8", "time", number=7),
        row("8/time", "time", number=8),
    ]
    dev = rows("In Oslo/city", "to Cork/city", file="dev.jsonl")
    report = check_slots(train, dev)
    assert pairs(report.duplicates) == [("train.jsonl:2", "train.jsonl:1")]
    assert pairs(report.slot_conflicts) == [
        ("train.jsonl:3", "train.jsonl:1"),
        ("train.jsonl:8", "train.jsonl:7"),
    ]
    assert pairs(report.overlap) == [("train.jsonl:6", "dev.jsonl:1")]
    assert [(each.label, each.row.place) for each in report.sparse_slots] == [
        ("city", "train.jsonl:1"),
        ("city:to", "train.jsonl:5"),
    ]
    assert (report.conflicts, report.sparse_labels) == ((), ())

    duplicates, conflicts, overlap, sparse = report.warnings()
    assert duplicates == "duplicate rows, dropped (1): train.jsonl:2 (as train.jsonl:1)"
    assert "(2): train.jsonl:3 has no slots but train.jsonl:1 has city 'Rome', train.jsonl:8 has" in conflicts
    assert "train.jsonl:6 (as dev.jsonl:1)" in overlap
    assert sparse.startswith("slots with a single training row")
    assert "(2): 'city' (train.jsonl:1), 'city:to' (train.jsonl:5)" in sparse


def test_a_text_is_another_one_after_another_question() -> None:
    train = [row("8/time", "time"), row("8/people", "people"), row("8/people"), row("8/people", "a", "b")]
    dev = [
        row("8/people", "b", "a", "a", file="dev.jsonl"),
        row("8/time", "time", "people", file="dev.jsonl"),
    ]
    dataset, report = build_slots(train, dev, seed=0)
    assert (report.duplicates, report.slot_conflicts) == ((), ())
    assert pairs(report.overlap) == [("train.jsonl:1", "dev.jsonl:1")]
    assert dataset.train == tuple(train[:3])
    assert dataset.labels == (SlotLabel("people"), SlotLabel("time"))


def test_slots_at_other_places_are_no_duplicate() -> None:
    report = check_slots(rows("from a/city to a", "from a to a/city", "from  a/city  to a"))
    assert pairs(report.duplicates) == [("train.jsonl:3", "train.jsonl:1")]
    assert pairs(report.slot_conflicts) == [("train.jsonl:2", "train.jsonl:1")]


def test_without_intents_they_do_not_count() -> None:
    data = [row("to Rome/city", intent="a"), row("to Rome/city", intent="b", number=2), row("hi", intent="")]
    dataset, report = build_slots(data, [], seed=0)
    assert [each.intent for each in dataset.train] == ["", ""]
    assert dataset.intents == ()
    assert len(report.duplicates) == 1


def test_with_intents_they_are_checked_as_those_of_intent_skills() -> None:
    data = [
        row("to Rome/city", intent="book"),
        row("to Rome/city", intent="ask", number=2),
        row("to Bonn/city", intent="book", number=3),
        row("what is it", intent=OUT_OF_SCOPE_LABEL, number=4),
    ]
    dataset, report = build_slots(data, [], seed=0, with_intents=True)
    assert dataset.intents == ("ask", "book")
    assert len(dataset.train) == 4
    assert pairs(report.conflicts) == [("train.jsonl:2", "train.jsonl:1")]
    assert report.slot_conflicts == ()
    assert [each.place for each in report.sparse_labels] == ["train.jsonl:2"]


@pytest.mark.parametrize(
    ("train", "dev", "with_intents", "field", "said"),
    [
        ([], [], False, "data", "no training rows"),
        (["hi", "to Rome"], [], False, "data", "none of 2 training rows has a slot"),
        (["to Rome/city"], ["at 8/time"], False, "dev", "1 held-out slots have no training row"),
        (["to Rome/city"], ["to Rome/city:to"], False, "data", "none of 0 training rows has a slot"),
        (["to Rome/city", "a"], ["to Bonn/city:to"], False, "dev", "'city:to' (dev.jsonl:1); add training"),
        (["to Rome/city"], [], True, "data", "1 rows have no intent: train.jsonl:1; give them one"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(
    train: list[str], dev: list[str], with_intents: bool, field: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        build_slots(rows(*train), rows(*dev, file="dev.jsonl"), seed=0, with_intents=with_intents)
    assert said in str(caught.value)
    assert caught.value.field == field


def test_intents_are_refused_as_those_of_intent_skills() -> None:
    one = rows("to Rome/city", "to Bonn/city", intent="book")
    with pytest.raises(InputError, match="training rows have 1 intents"):
        build_slots(one, seed=0, with_intents=True)
    two = [*one, row("at 8/time", intent="ask")]
    with pytest.raises(InputError, match=r"'other' \(dev.jsonl:1\)"):
        build_slots(two, rows("to Oslo/city", file="dev.jsonl", intent="other"), seed=0, with_intents=True)


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_a_share_out_of_bounds_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="dev share is"):
        build_slots(rows("to Rome/city"), dev_share=share, seed=0)


@st.composite
def data(draw: st.DrawFn) -> list[Utterance]:
    labels = st.sets(st.sampled_from(["a", "b", "c:x", "c:y", "d"]), max_size=3)
    found = draw(st.lists(st.tuples(labels, st.sampled_from(["i", "j"])), min_size=1, max_size=40))
    return [
        row(" ".join([f"t{number}", *(f"w/{label}" for label in sorted(each))]), intent=intent, number=number)
        for number, (each, intent) in enumerate(found, start=1)
    ]


@settings(deadline=None)
@given(rows=data(), share=st.floats(0.05, 0.9), seed=st.integers(0, 2**32), with_intents=st.booleans())
def test_a_split_is_seeded_and_keeps_every_label_in_training(
    rows: list[Utterance], share: float, seed: int, with_intents: bool
) -> None:
    if not with_intents:
        rows = [replace(each, intent="") for each in rows]
    train, dev = split_slots(rows, dev_share=share, seed=seed)
    assert sorted([*train, *dev], key=lambda each: each.row) == rows
    assert {each.label for row in rows for each in row.entities} == {
        each.label for row in train for each in row.entities
    }
    assert {each.intent for each in rows} == {each.intent for each in train}
    assert split_slots(rows, dev_share=share, seed=seed) == (train, dev)


def test_about_the_share_of_each_slot_is_held_out() -> None:
    marked = [
        f"{label}{number} w/{label}"
        for label, count in (("a", 50), ("b", 10), ("c", 5))
        for number in range(count)
    ]
    dataset, _ = build_slots(rows(*marked, "n w/d"), seed=3)
    assert Counter(each.entities[0].slot for each in dataset.dev) == {"a": 10, "b": 2, "c": 1}
    assert "d" in {label.slot for label in dataset.labels}
    other, _ = build_slots(rows(*marked), seed=4)
    assert other.dev != dataset.dev


def test_a_text_in_doubt_is_not_held_out() -> None:
    marked = rows("to Rome/city", "to Rome", "to Bonn/city", "to Oslo/city", "to Cork/city")
    for seed in range(10):
        _, dev = split_slots(marked, dev_share=0.8, seed=seed)
        assert {each.row for each in dev} <= {3, 4, 5}


def test_the_hash_is_of_the_expected_slots_too() -> None:
    assert data_sha256([row("8/time", "time")]) != data_sha256([row("8/time")])
