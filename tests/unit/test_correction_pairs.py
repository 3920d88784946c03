from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from nlu.backbone import Backbone
from skills.correction import CorrectedSentence
from training.correction_pairs import Pair, batches, by_length, make_pair, make_pairs


def wrong_pieces(backbone: Backbone, pair: Pair) -> list[str]:
    return [
        str(backbone.tokenizer.id_to_token(token))
        for token, wrong in zip(pair.source, pair.wrong, strict=True)
        if wrong
    ]


@pytest.mark.parametrize(
    ("text", "correction", "expected"),
    [
        ("I has a cat.", "I have a cat.", ["▁has"]),
        ("I have cat.", "I have a cat.", ["▁cat"]),  # what is missing is before it
        ("I have a a cat.", "I have a cat.", ["a"]),
        ("I have a cat", "I have a cat.", ["</s>"]),  # missing at the end
        ("I have a cat.", "I have a cat.", []),
    ],
)
def test_wrong_tokens_are_those_that_an_edit_touches(
    backbone: Backbone, text: str, correction: str, expected: list[str]
) -> None:
    pair = make_pair(backbone, text, correction)
    found = wrong_pieces(backbone, pair)
    assert [piece.strip("▁") for piece in found if piece != "▁"] == [each.strip("▁") for each in expected]
    assert pair.has_error == bool(expected)
    assert pair.target == tuple(backbone.tokenizer.encode(correction).ids)


def test_corrections_are_clean_rows_as_well(backbone: Backbone) -> None:
    sentences = [CorrectedSentence("I has it.", ("I have it.",)), CorrectedSentence("Fine.", ("Fine.",))]
    pairs = make_pairs(backbone, sentences, np.random.default_rng(1), clean_share=1.0)
    assert sorted(pair.has_error for pair in pairs) == [False, False, True]
    assert len(make_pairs(backbone, sentences, np.random.default_rng(1), clean_share=0.0)) == 2


def test_one_of_several_corrections_is_drawn(backbone: Backbone) -> None:
    sentence = CorrectedSentence("Where is my cards?", ("Where are my cards?", "Where is my card?"))
    drawn = {
        make_pairs(backbone, [sentence], np.random.default_rng(seed), clean_share=0.0)[0].target
        for seed in range(20)
    }
    assert len(drawn) == 2


def pair_of(length: int) -> Pair:
    return Pair((2,) * length, (False,) * length, (2,) * length)


def test_batches_are_of_like_length_and_hold_every_pair() -> None:
    pairs = [pair_of(length) for length in (9, 1, 5, 3, 7)]
    assert [[len(pair.source) for pair in batch] for batch in by_length(pairs, 2)] == [[1, 3], [5, 7], [9]]
    epoch = [pair for batch in islice(batches(pairs, 2, np.random.default_rng(1)), 3) for pair in batch]
    assert sorted(len(pair.source) for pair in epoch) == [1, 3, 5, 7, 9]
