from __future__ import annotations

from collections.abc import Sequence

import pytest

from skills import grammar_metrics as module
from skills.errant_scores import errant_scores, tokens
from skills.errors import InputError
from skills.grammar_metrics import GrammarMetrics, gleu, grammar_metrics

SOURCES = ["He go to school .", "I likes the apple", "It is fine ."]
RIGHT = [("He goes to school .",), ("I like the apples", "I like the apple"), ("It is fine .",)]


def measured(hypotheses: Sequence[str]) -> GrammarMetrics:
    return grammar_metrics(SOURCES, hypotheses, RIGHT)


def test_perfect_corrections() -> None:
    metrics = measured(["He goes to school .", "I like the apple", "It is fine ."])

    assert (metrics.rows, metrics.exact, metrics.false_edit_rate) == (3, 1.0, 0.0)
    assert (metrics.edit_precision, metrics.edit_recall, metrics.edit_f05) == (1.0, 1.0, 1.0)
    assert metrics.errant_f05 == 1.0
    assert metrics.left_alone == pytest.approx(1 / 3)


def test_sources_unchanged() -> None:
    metrics = measured(SOURCES)

    assert metrics.left_alone == 1.0
    assert metrics.exact == pytest.approx(1 / 3)
    assert (metrics.edit_recall, metrics.edit_f05, metrics.errant_f05) == (0.0, 0.0, 0.0)


def test_half_right_and_a_false_edit() -> None:
    metrics = measured(["He goes to school .", "I likes the apple", "It was fine ."])

    assert metrics.false_edit_rate == 1.0
    assert (metrics.edit_precision, metrics.edit_recall) == (0.5, 0.5)
    assert (metrics.errant_precision, metrics.errant_recall, metrics.errant_f05) == (0.5, 0.5, 0.5)
    assert metrics.edit_f05 == 0.5


def test_the_best_reference_of_each_sentence_counts() -> None:
    both = [("I like the apples", "I like the apple")]
    for hypothesis in both[0]:
        assert errant_scores(SOURCES[1:2], [hypothesis], both) == (1.0, 1.0, 1.0)
        assert grammar_metrics(SOURCES[1:2], [hypothesis], both).edit_f05 == 1.0


def test_numbers_by_name_leave_out_what_was_not_measured() -> None:
    metrics = grammar_metrics(SOURCES[:1], ["He goes to school ."], RIGHT[:1])

    assert metrics.false_edit_rate is None
    flat = metrics.as_flat_dict()
    assert "false_edit_rate" not in flat
    assert flat["gleu"] == 100.0
    assert flat["rows"] == 1.0


def test_without_the_extra_only_our_own_counts_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)

    metrics = measured(SOURCES)

    assert (metrics.gleu, metrics.errant_f05) == (None, None)
    assert metrics.edit_f05 == 0.0
    assert "softspoken[metrics]" in module.METRICS_HINT


@pytest.mark.parametrize(
    ("hypothesis", "references", "expected"),
    [
        ("a b c d e", ["a b c d e"], 100.0),
        ("v w x y z", ["a b c d e"], 0.0),
        # 1- to 4-grams that match: 4 of 5, 3 of 4, 2 of 3, 1 of 2; what the source had, and no reference
        # has, is taken off: 1, 1, 1, 1
        ("a b c d x", ["a b c d e"], 100 * ((3 / 5) * (2 / 4) * (1 / 3) * 1e-300) ** 0.25),
        # one word short of five: the brevity penalty exp(1 - 5 / 4)
        ("a b c d", ["a b c d e"], 77.88),
    ],
)
def test_gleu_of_sentences_counted_by_hand(hypothesis: str, references: list[str], expected: float) -> None:
    assert gleu(["a b c d x"], [hypothesis], [references]) == pytest.approx(expected, abs=0.01)


def test_gleu_takes_the_mean_over_references() -> None:
    both = gleu(["a b c d x"] * 2, ["a b c d e"] * 2, [("a b c d e", "v w x y z")] * 2)
    assert 20.0 < both < 80.0
    assert gleu(["a b c d x"], ["a b c d e"], [("a b c d e", "a b c d e")]) == 100.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't know, really.", ["I", "do", "n't", "know", ",", "really", "."]),
        ("I do n't know , really .", ["I", "do", "n't", "know", ",", "really", "."]),
        ("", []),
    ],
)
def test_raw_and_tokenised_texts_have_the_same_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@pytest.mark.parametrize(
    ("sources", "hypotheses", "references", "said"),
    [
        ([], [], [], "no rows"),
        (["a"], ["a"], [()], "one without a reference"),
        (["a"], [], [("a",)], "1 sentences, 0 answers and 1 references"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    sources: list[str], hypotheses: list[str], references: list[tuple[str, ...]], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        grammar_metrics(sources, hypotheses, references)
