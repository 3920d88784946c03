from __future__ import annotations

import pytest

from skills.correction import CorrectedSentence


@pytest.mark.parametrize(
    ("text", "corrections", "right"),
    [
        ("He go.", ("He goes.",), False),
        ("He goes.", ("He goes.",), True),
        ("It is here.", ("It's here.", "It is here."), True),
    ],
)
def test_a_sentence_is_right_if_somebody_left_it(
    text: str, corrections: tuple[str, ...], right: bool
) -> None:
    assert CorrectedSentence(text, corrections).is_right is right


@pytest.mark.parametrize(("row", "place"), [(3, "a.tsv:3"), (0, "a.tsv")])
def test_a_sentence_names_its_place(row: int, place: str) -> None:
    assert CorrectedSentence("a", ("a",), "a.tsv", row).place == place
