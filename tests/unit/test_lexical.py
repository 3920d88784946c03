from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.lexical import BUCKETS, MAX_BUCKETS_PER_LABEL, LexicalExpert, _counted

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
arrays = (expert.buckets, expert.first, expert.labels, expert.weights)
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
    dense = np.zeros((3, BUCKETS))
    whole = TOY.by_label()
    for label, (start, end) in enumerate(pairwise(whole.starts)):
        dense[label, whole.buckets[start:end]] = whole.weights[start:end]
    buckets, values = _counted("my card, and the weather")
    is_known = dense[:, buckets].any(axis=0)
    raw = dense[:, buckets[is_known]] @ values[is_known] / np.linalg.norm(values[is_known])
    expected = (raw - raw.mean()) / (raw.std() + 0.01)
    np.testing.assert_allclose(TOY.scores("my card, and the weather"), expected, rtol=1e-5)


def test_weights_in_steps_score_as_their_products() -> None:
    whole, step = TOY.by_label(), 0.01
    steps = np.rint(whole.weights / step).astype(np.uint8)
    stepped = LexicalExpert.of_labels(replace(whole, weights=steps), step)
    product = LexicalExpert.of_labels(replace(whole, weights=steps * np.float32(step)))
    assert stepped.weights.dtype == np.uint8
    for text in TEXTS:
        assert np.array_equal(stepped.scores(text), product.scores(text))


@pytest.mark.parametrize("label_count", [3, 300])
def test_by_label_and_back_is_the_same(label_count: int) -> None:
    expert = LexicalExpert.fit(TEXTS, LABELS, label_count)
    again = LexicalExpert.of_labels(expert.by_label())
    for name in ("buckets", "first", "labels", "weights"):
        assert np.array_equal(getattr(again, name), getattr(expert, name))


def test_a_label_without_rows_is_never_named() -> None:
    expert = LexicalExpert.fit(TEXTS, [0, 0, 2, 2, 2, 2], 3)
    assert np.diff(expert.by_label().starts).tolist()[1] == 0
    assert expert.scores("my card").argmax() == 0


def test_weights_are_not_negative_and_buckets_rise_within_a_label() -> None:
    whole = TOY.by_label()
    assert (whole.weights >= 0).all()
    assert whole.starts[0] == 0 and whole.starts[-1] == len(whole.buckets) == len(whole.weights)
    for start, end in pairwise(whole.starts):
        assert (np.diff(whole.buckets[start:end].astype(int)) > 0).all()


def test_a_label_keeps_its_largest_weights() -> None:
    words = [f"word{i}" for i in range(3000)]
    expert = LexicalExpert.fit([" ".join(words), *["unmistakable"] * 50], [0] * 51, 2)
    assert np.diff(expert.by_label().starts).tolist() == [MAX_BUCKETS_PER_LABEL, 0]
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
