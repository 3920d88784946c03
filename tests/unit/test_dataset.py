from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skills.dataset import build, check, data_sha256, split
from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL
from skills.utterance import Entity, Utterance


def rows(*pairs: tuple[str, str], file: str = "train.csv") -> list[Utterance]:
    return [Utterance(text, intent, file, number) for number, (text, intent) in enumerate(pairs, start=1)]


def labeled(counts: dict[str, int]) -> list[Utterance]:
    return rows(*((f"{label} {number}", label) for label, n in counts.items() for number in range(n)))


def places(found: list[Utterance]) -> list[str]:
    return [row.place for row in found]


COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 30), min_size=2)


@settings(deadline=None)
@given(counts=COUNTS, share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32))
def test_a_split_is_stratified_seeded_and_disjoint(counts: dict[str, int], share: float, seed: int) -> None:
    data = labeled(counts)
    train, dev = split(data, dev_share=share, seed=seed)
    assert sorted([*train, *dev], key=lambda row: row.row) == data
    assert not set(train) & set(dev)
    kept, held = Counter(row.intent for row in train), Counter(row.intent for row in dev)
    for label, count in counts.items():
        assert kept[label] >= 1
        assert held[label] == min(count - 1, max(1, round(count * share)))
    assert split(data, dev_share=share, seed=seed) == (train, dev)


def test_another_seed_splits_otherwise() -> None:
    data = labeled({"a": 50, "b": 50})
    assert split(data, seed=1) != split(data, seed=2)


def test_a_text_in_doubt_is_not_held_out() -> None:
    data = rows(("same", "a"), ("Same ", "b"), ("one", "a"), ("two", "b"))
    for seed in range(10):
        _, dev = split(data, dev_share=0.9, seed=seed)
        assert places(dev) == ["train.csv:3", "train.csv:4"]


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_out_of_bounds_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="dev share is") as caught:
        build(labeled({"a": 2, "b": 2}), dev_share=share, seed=0)
    assert caught.value.field == "dev_share"


def test_everything_doubtful_is_reported_with_its_place() -> None:
    train = rows(
        ("pay a bill", "pay"),
        ("Pay  a BILL", "pay"),  # a duplicate but for case and white space
        ("pay a bill", "bills"),  # a conflict
        ("what do I owe", "bills"),
        ("hi", "greet"),  # held out too
        ("hello", "greet"),
        ("good morning", "greet"),
        ("the moon", OUT_OF_SCOPE_LABEL),
    )
    dev = rows(("HI", "greet"), ("hi", "greet"), ("what now", "pay"), file="dev.csv")
    report = check(train, dev)
    assert [(each.row.place, each.earlier.place) for each in report.duplicates] == [
        ("train.csv:2", "train.csv:1"),
        ("dev.csv:2", "dev.csv:1"),
    ]
    assert [(each.row.place, each.earlier.place) for each in report.conflicts] == [
        ("train.csv:3", "train.csv:1")
    ]
    assert [(each.row.place, each.earlier.place) for each in report.overlap] == [("train.csv:5", "dev.csv:1")]
    assert [row.place for row in report.sparse_labels] == ["train.csv:1"]

    duplicates, conflicts, overlap, sparse = report.warnings()
    assert duplicates == (
        "duplicate rows, dropped (2): train.csv:2 (as train.csv:1), dev.csv:2 (as dev.csv:1)"
    )
    assert "(1): train.csv:3 is 'bills' but train.csv:1 is 'pay'" in conflicts
    assert overlap == "training rows that are also held out, dropped (1): train.csv:5 (as dev.csv:1)"
    assert "(1): 'pay' (train.csv:1)" in sparse


def test_what_is_built_has_no_duplicates_and_no_overlap_and_sets_oos_rows_apart() -> None:
    train = rows(("a", "x"), ("A", "x"), ("b", "x"), ("c", "y"), ("moon", OUT_OF_SCOPE_LABEL), ("d", "y"))
    dev = rows(("B", "x"), ("sun", OUT_OF_SCOPE_LABEL), ("b", "x"), file="dev.csv")
    dataset, _ = build(train, dev, seed=0)
    assert [row.text for row in dataset.train] == ["a", "c", "d"]
    assert [row.text for row in dataset.dev] == ["B"]
    assert (dataset.train_oos, dataset.dev_oos) == (("moon",), ("sun",))
    assert dataset.labels == ("x", "y")


def test_without_dev_rows_some_of_each_label_and_of_oos_are_held_out() -> None:
    data = labeled({"b": 10, "a": 5, OUT_OF_SCOPE_LABEL: 10, "single": 1})
    dataset, report = build(data, seed=3)
    assert Counter(row.intent for row in dataset.dev) == {"b": 2, "a": 1}
    assert (len(dataset.train_oos), len(dataset.dev_oos)) == (8, 2)
    assert dataset.labels == ("a", "b", "single")
    assert [row.intent for row in report.sparse_labels] == ["single"]
    assert build(data, seed=3) == (dataset, report)


def test_clean_data_gives_no_warnings() -> None:
    assert check(labeled({"a": 2, "b": 2})).warnings() == []


def test_long_lists_are_cut() -> None:
    data = [*labeled({"a": 2, "b": 2}), *rows(*[("a 0", "a")] * 1207, file="more.csv")]
    (warning,) = check(data).warnings()
    assert warning.startswith("duplicate rows, dropped (1,207): more.csv:1 (as train.csv:1), ")
    assert warning.endswith("more.csv:5 (as train.csv:1) (and 1,202 more)")


@pytest.mark.parametrize(
    ("train", "dev", "field", "said"),
    [
        ([], [], "data", "no training rows"),
        ([("a", "x"), ("b", "x")], [], "data", "training rows have 1 intents (x)"),
        ([("a", OUT_OF_SCOPE_LABEL)], [], "data", "have 0 intents (none)"),
        ([("a", "x"), ("b", "y")], [("c", "z")], "dev", "'z' (dev.csv:1)"),
        ([("a", "x"), ("b", "y"), ("c", "w")], [("A", "x")], "dev", "not also held out: 'x' (dev.csv:1)"),
    ],
)
def test_data_that_cannot_be_trained_on_is_refused(
    train: list[tuple[str, str]], dev: list[tuple[str, str]], field: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        build(rows(*train), rows(*dev, file="dev.csv"), seed=0)
    assert said in str(caught.value)
    assert caught.value.field == field


def test_the_hash_is_of_what_was_said_not_of_where_it_was_read() -> None:
    (row,) = rows(("fly to Rome", "book"))
    same = replace(row, file="other.jsonl", row=9)
    assert data_sha256([row]) == data_sha256([same])
    others = [
        [replace(row, text="fly to Bonn")],
        [replace(row, intent="b")],
        [replace(row, entities=(Entity("city", 7, 11, "Rome"),))],
        [row, row],
        [],
    ]
    assert len({data_sha256(other) for other in [[row], *others]}) == 6


def test_the_hash_depends_on_the_order() -> None:
    data = labeled({"a": 1, "b": 1})
    assert data_sha256(data) != data_sha256(data[::-1])
