from __future__ import annotations

import pytest

from skills.correction import CorrectedSentence
from skills.correction_dataset import CorrectionDataset, build_corrections
from skills.errors import InputError


def row(text: str, *corrections: str, number: int = 0) -> CorrectedSentence:
    return CorrectedSentence(text, corrections, "a.tsv", number)


def rows(count: int) -> list[CorrectedSentence]:
    """Two errors of each of so many sentences, and the sentence itself."""
    made = []
    for number in range(count):
        right = f"Room {number} is free."
        made += [
            row(f"room {number} is free", right),
            row(f"Room {number} are free.", right),
            row(right, right),
        ]
    return made


def test_errors_of_one_sentence_are_on_one_side() -> None:
    dataset, warnings = build_corrections(rows(20), dev_share=0.25, seed=3)

    assert warnings == []
    assert (len(dataset.train), len(dataset.dev)) == (45, 15)
    sides = [{each.corrections[0] for each in side} for side in (dataset.train, dataset.dev)]
    assert sides[0].isdisjoint(sides[1])
    assert [each for each in rows(20) if each in dataset.dev] == list(dataset.dev)


def test_the_seed_draws_the_split() -> None:
    assert build_corrections(rows(20), seed=3) == build_corrections(rows(20), seed=3)
    assert build_corrections(rows(20), seed=3) != build_corrections(rows(20), seed=4)


def test_rows_of_one_text_become_one() -> None:
    given = [row("he go", "He goes.", number=1), row("he go", "He went.", number=2)]
    given += [row("he go", "He went.", number=3), row("Fine.", "Fine.", number=4)]
    dataset, warnings = build_corrections(given, [row("a", "A.")], seed=0)

    assert dataset.train[0].corrections == ("He goes.", "He went.")
    assert warnings == [
        "duplicate rows, dropped (1): a.tsv:3",
        "rows with the text of another row but other corrections, joined with it (1): a.tsv:2",
    ]


@pytest.mark.parametrize("leak", [row("he go", "He goes."), row("He gos.", "He goes."), row("b", "he go")])
def test_training_rows_of_held_out_sentences_are_dropped(leak: CorrectedSentence) -> None:
    dataset, warnings = build_corrections([*rows(7), leak], [row("he go", "He goes.")], seed=0)

    assert dataset.train == tuple(rows(7))
    assert warnings == ["training rows of sentences that are also held out, dropped (1): a.tsv"]


def test_many_places_are_cut_short() -> None:
    repeats = [row("he go", "He goes.", number=number) for number in range(1, 9)]
    _, warnings = build_corrections([*rows(3), *repeats], seed=0)
    assert warnings == [
        "duplicate rows, dropped (7): a.tsv:2, a.tsv:3, a.tsv:4, a.tsv:5, a.tsv:6 (and 2 more)"
    ]


def test_without_right_sentences_there_is_a_warning() -> None:
    _, warnings = build_corrections([each for each in rows(5) if not each.is_right], seed=0)
    assert len(warnings) == 1
    assert "no training row is right" in warnings[0]


@pytest.mark.parametrize(
    ("train", "dev", "share", "said"),
    [
        ([], None, 0.2, "no training rows"),
        ([row("A.", "A."), row("B.", "B.")], None, 0.2, "none of 1 training rows has an error"),
        ([row("a", "A.")], None, 0.2, "no held-out rows"),
        ([row("a", "A.")], [], 0.2, "no held-out rows"),
        (rows(3), None, 1.0, r"dev share is 1\.0"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(
    train: list[CorrectedSentence], dev: list[CorrectedSentence] | None, share: float, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        build_corrections(train, dev, dev_share=share, seed=0)


def test_the_hash_is_of_the_rows_not_of_the_split() -> None:
    right, wrong = CorrectedSentence("Fine.", ("Fine.",)), CorrectedSentence("i go", ("I go.",))
    whole = CorrectionDataset((right, wrong), ())
    assert whole.sha256() == CorrectionDataset((wrong,), (right,)).sha256()
    assert whole.sha256() != CorrectionDataset((right,), ()).sha256()
