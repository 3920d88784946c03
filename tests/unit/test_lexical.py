from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.lexical import BUCKETS, MAX_BUCKETS_PER_LABEL, LexicalExpert

TEXTS = [
    "when does my card arrive",
    "the card has not arrived",
    "what is the exchange rate",
    "rate for dollars to euros",
    "put money on my account",
    "top up the account",
]
LABELS = [0, 0, 1, 1, 2, 2]
TOY = LexicalExpert.fit(TEXTS, LABELS, 3)

DIGEST = """
import hashlib, sys
from nlu.lexical import LexicalExpert

expert = LexicalExpert.fit(sys.argv[1:], [0, 0, 1, 1, 2, 2], 3)
arrays = (expert.buckets, expert.weights, expert.starts)
print(hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest())
"""


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("my card", 0),
        ("CARD ARRIVES???", 0),
        ("euros", 1),
        ("exchange rates today", 1),
        ("accounts", 2),
        ("topping up", 2),
        *zip(TEXTS, LABELS, strict=True),
    ],
)
def test_the_words_speak_for_their_label(text: str, label: int) -> None:
    assert TOY.scores(text).argmax() == label


@pytest.mark.parametrize("text", ["", "  \t\n", "☃☃", "zzzzqqqq"])
def test_unknown_text_speaks_for_no_label(text: str) -> None:
    scores = TOY.scores(text)
    assert scores.tolist() == [0, 0, 0]
    assert scores.dtype == np.float32


def test_scores_are_standardised() -> None:
    scores = TOY.scores("the card rate")
    assert scores.mean() == pytest.approx(0, abs=1e-6)
    assert 0.5 < scores.std() < 1


def test_scores_are_the_sparse_product() -> None:
    """Against a dense matrix, one n-gram at a time."""
    expert = LexicalExpert(
        buckets=np.array([97, 5, 97], np.uint16),
        weights=np.array([0.5, 1.0, 0.25], np.float32),
        starts=np.array([0, 1, 3], np.int32),
    )
    dense = np.zeros((2, BUCKETS), np.float32)
    dense[0, 97], dense[1, 5], dense[1, 97] = 0.5, 1.0, 0.25
    first, labels, weights = expert._by_bucket
    rebuilt = np.zeros_like(dense)
    for bucket in range(BUCKETS):
        for place in range(first[bucket], first[bucket + 1]):
            rebuilt[labels[place], bucket] = weights[place]
    assert np.array_equal(rebuilt, dense)


def test_a_label_without_rows_is_never_named() -> None:
    expert = LexicalExpert.fit(TEXTS, [0, 0, 2, 2, 2, 2], 3)
    assert np.diff(expert.starts).tolist()[1] == 0
    assert expert.scores("my card").argmax() == 0


def test_weights_are_not_negative_and_buckets_rise_within_a_label() -> None:
    assert (TOY.weights >= 0).all()
    assert TOY.starts[0] == 0 and TOY.starts[-1] == len(TOY.buckets) == len(TOY.weights)
    for start, end in zip(TOY.starts[:-1], TOY.starts[1:], strict=True):
        assert (np.diff(TOY.buckets[start:end].astype(int)) > 0).all()


def test_a_label_keeps_its_largest_weights() -> None:
    words = [f"word{i}" for i in range(3000)]
    expert = LexicalExpert.fit([" ".join(words), *["unmistakable"] * 50], [0] * 51, 2)
    assert np.diff(expert.starts).tolist() == [MAX_BUCKETS_PER_LABEL, 0]
    assert expert.scores("unmistakable").argmax() == 0


def test_the_order_of_the_rows_does_not_matter() -> None:
    order = [3, 0, 5, 1, 4, 2]
    shuffled = LexicalExpert.fit([TEXTS[i] for i in order], [LABELS[i] for i in order], 3)
    assert np.array_equal(shuffled.buckets, TOY.buckets)
    np.testing.assert_allclose(shuffled.weights, TOY.weights, rtol=1e-6)


def test_the_hash_seed_of_the_process_does_not_matter() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST, *TEXTS],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(digests) == 1


@given(st.text())
def test_any_text_has_finite_scores(text: str) -> None:
    assert np.isfinite(TOY.scores(text)).all()


@given(st.lists(st.text(), min_size=2, max_size=6))
def test_any_texts_can_be_learned(texts: list[str]) -> None:
    expert = LexicalExpert.fit(texts, [i % 2 for i in range(len(texts))], 2)
    assert all(np.isfinite(expert.scores(text)).all() for text in texts)
    assert np.isfinite(expert.weights).all()
