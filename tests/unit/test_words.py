from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlu.backbone import MAX_TOKENS, Backbone
from nlu.tokens import BLANK, Tokens, tokenise
from nlu.words import Words, words


def read(backbone: Backbone, text: str) -> Words:
    return words(text, tokenise(backbone, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a table for six", ["a", "table", "for", "six"]),
        ("  a \t table\n", ["a", "table"]),
        ("Denver, please!?", ["Denver", ",", "please", "!", "?"]),
        ("333.33€", ["333", ".", "33", "€"]),
        ("please!!", ["please", "!!"]),  # "!!" is one token, and so is each of these:
        ("7:30pm", ["7:30", "pm"]),
        ("a table for 7.", ["a", "table", "for", "7"]),  # "7." is one token, but the number is "7"
        ("$12.50", ["$12", ".", "50"]),
        ("don't", ["don", "'", "t"]),
        ("A380", ["A", "380"]),
        ("cafe\u0301s ﬁne", ["cafe\u0301s", "ﬁne"]),
        ("１２３ ½ x", ["１２３", "½", "x"]),
        ("I ❤\ufe0f \N{GRINNING FACE}!", ["I", "❤\ufe0f", "\N{GRINNING FACE}", "!"]),
        ("Zürich-Oslo", ["Zürich", "-", "Oslo"]),
        ("\N{ZERO WIDTH SPACE}zero", ["zero"]),
        ("snake_case", ["snake", "_", "case"]),
        ("333", ["333"]),
        ("नमस्ते x", ["नमस्ते", "x"]),
        ("", []),
        ("\n", []),
    ],
)
def test_words_are_runs_of_letters_or_digits(backbone: Backbone, text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in read(backbone, text).spans] == expected


def test_a_word_begins_in_its_first_token(backbone: Backbone) -> None:
    text = "333 to Zürich-Oslo at 7pm"
    tokens = tokenise(backbone, text)
    found = words(text, tokens)
    starts = [tokens.offsets[place][0] for place in found.first]
    assert starts == [start for start, _ in found.spans]
    assert all(tokens.offsets[place][1] > tokens.offsets[place][0] for place in found.first)


def test_words_that_begin_in_one_token_are_one() -> None:
    text = "no.7 in 7pm"
    tokens = Tokens((5, 6, 7, 8, 1), ((0, 3), (3, 4), (5, 7), (8, 11), (11, 11)), 11)
    found = words(text, tokens)
    assert [text[start:end] for start, end in found.spans] == ["no", "7", "in", "7pm"]
    assert found.first == (0, 1, 2, 3)


def test_a_token_may_reach_into_the_next_word() -> None:
    text = "abc12"
    found = words(text, Tokens((5, 6, 1), ((0, 4), (4, 5), (5, 5)), 5))
    assert found == Words(((0, 5),), (0,))


@pytest.mark.parametrize(("end", "expected"), [(4, ["one"]), (6, ["one"]), (7, ["one", "two"]), (0, [])])
def test_a_word_that_was_cut_off_is_left_out(end: int, expected: list[str]) -> None:
    text = "one two"
    tokens = Tokens(
        (5, 6, 7, 1), ((0, min(3, end)), (min(4, end), min(6, end)), (6, max(6, end)), (end, end)), end
    )
    assert [text[start:stop] for start, stop in words(text, tokens).spans] == expected


def test_a_long_text_has_the_words_that_were_read(backbone: Backbone) -> None:
    text = "word " * 300
    found = read(backbone, text)
    assert len(found) == MAX_TOKENS - 1
    assert found.first == tuple(range(MAX_TOKENS - 1))
    assert len(read(backbone, "x" * 2000)) == 0  # one word, and cut


LEFT_OUT = re.compile(f"{BLANK.pattern}|[.,]")  # punctuation where it shares a token with a word


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(alphabet=st.sampled_from("ab é\u0301ﬁ1½７.,@\t\x01\u200d😀❤\ufe0f日€"), max_size=40))
def test_words_are_apart_in_order_and_leave_no_letter_out(backbone: Backbone, text: str) -> None:
    found = read(backbone, text)
    reached = 0
    for start, end in found.spans:
        assert reached <= start < end <= len(text)
        assert not LEFT_OUT.sub("", text[reached:start])
        reached = end
    assert not LEFT_OUT.sub("", text[reached:])
    assert list(found.first) == sorted(set(found.first))
