from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlu.backbone import MAX_TOKENS, Backbone
from nlu.corrected_text import correction_edits
from nlu.corrector import Correction
from nlu.tokens import BLANK, tokenise
from skills.edits import Edit, apply_edits

SMILE = "\N{GRINNING FACE}"
UNKNOWN = 2  # T5's token for what it has no piece for


def decoded(backbone: Backbone, text: str) -> Correction:
    """What a decoder says that knows the text only as T5 reads it."""
    ids = tuple(backbone.tokenizer.encode(text).ids[:-1])
    return Correction(ids, (0.5,) * len(ids), 1)


def edits(backbone: Backbone, text: str, correction: Correction) -> tuple[Edit, ...]:
    tokens = tokenise(backbone, text)
    return correction_edits(backbone.tokenizer, text, tokens, correction, otherwise=0.9)


@pytest.mark.parametrize(
    ("text", "said", "corrected"),
    [
        ("She go home", "She goes home", "She goes home"),
        ("She  go\thome \n", "She goes home", "She  goes\thome \n"),
        ("  i has two  cat", "I have two cats", "  I have two  cats"),
        ("he go to go home", "he goes to go home", "he goes to go home"),
        ("go home", "She go home", "She go home"),
        ("go  home", "go home now", "go  home now"),
        ("the the cat", "the cat", "the cat"),
        ("go now now", "go now", "go now"),
        ("well , i  agree", "Well, I agree", "Well, I  agree"),
        ("ﬁne cafe\u0301  are god", "fine café is god", "ﬁne cafe\u0301  is god"),
        ("½ cup are ok", "1⁄2 cup is ok", "½ cup is ok"),
        (f"i has {SMILE} car", f"I have {SMILE} car", f"I have {SMILE} car"),
        (f"i has {SMILE} car", "I have car", f"I have {SMILE} car"),
        (f"she go home {SMILE}", "she goes home", f"she goes home {SMILE}"),
        (f"{SMILE}  she go", "she goes", f"{SMILE}  she goes"),
        ("ﷺ she go", "صلى الله عليه وسلم she goes", "ﷺ she goes"),
        ("zero\u200bwidth go", "zero width goes", "zero\u200bwidth goes"),
        ("say </s> when they goes", "say </s> when they go", "say </s> when they go"),
        ("", "", ""),
        ("x", "", ""),
    ],
)
def test_only_what_the_decoder_changed_is_changed(
    backbone: Backbone, text: str, said: str, corrected: str
) -> None:
    found = edits(backbone, text, decoded(backbone, said))
    assert apply_edits(text, found) == corrected


TEXTS = st.lists(
    st.sampled_from(
        [
            "she",
            "go",
            " ",
            "  ",
            "\t",
            "\n",
            ",",
            "'s",
            "ﬁ",
            "e\u0301",
            "½",
            SMILE,
            "\u200b",
            "7",
            "</s>",
            "日本",
        ]
    ),
    max_size=12,
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(TEXTS)
def test_what_the_decoder_repeats_is_left_alone(backbone: Backbone, text: str) -> None:
    ids = tokenise(backbone, text).ids[:-1]
    as_it_was_read = Correction(ids, (0.5,) * len(ids), 1)
    assert edits(backbone, text, as_it_was_read) == ()
    with_one_more = Correction((*ids, *decoded(backbone, "more").token_ids), (0.5,) * (len(ids) + 1), 1)
    changed = apply_edits(text, edits(backbone, text, with_one_more))
    assert BLANK.sub("", changed).replace("more", "") == BLANK.sub("", text)
    assert "more" in changed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(TEXTS, TEXTS)
def test_any_correction_gives_edits_that_fit_the_text(backbone: Backbone, text: str, said: str) -> None:
    found = edits(backbone, text, decoded(backbone, said))
    reached = 0
    for edit in found:
        assert reached <= edit.start <= edit.end <= len(text)
        assert 0.0 <= edit.confidence <= 1.0
        reached = edit.end
    assert apply_edits(text, found).count(SMILE) <= text.count(SMILE) + said.count(SMILE)


def test_an_edit_is_as_sure_as_its_words(backbone: Backbone) -> None:
    said = decoded(backbone, "She goes home")
    probabilities = [0.9, 0.8, 0.2, 0.7]
    tokens = [backbone.tokenizer.id_to_token(each) for each in said.token_ids]
    assert tokens == ["▁She", "▁goes", "▁home"]
    correction = Correction(said.token_ids, tuple(probabilities[:3]), 1)
    [edit] = edits(backbone, "She go home", correction)
    assert (edit.start, edit.end, edit.replacement) == (4, 6, "goes")
    assert edit.confidence == pytest.approx(0.8)


def test_an_edit_that_only_deletes_is_as_sure_as_the_gate(backbone: Backbone) -> None:
    [edit] = edits(backbone, "go to to home", decoded(backbone, "go to home"))
    assert edit.replacement == ""
    assert edit.confidence == 0.9


def test_pieces_that_are_no_text_are_passed_over(backbone: Backbone) -> None:
    said = decoded(backbone, "She goes")
    ids = (32099, *said.token_ids, 32120, UNKNOWN)  # a sentinel, an embedding without a piece
    found = edits(backbone, "She go", Correction(ids, (0.5,) * len(ids), 1))
    assert apply_edits("She go", found) == "She goes"


def test_the_end_of_a_text_that_was_cut_stays(backbone: Backbone) -> None:
    text = "she go " + "word " * 300
    tokens = tokenise(backbone, text)
    assert len(tokens.ids) == MAX_TOKENS
    said = decoded(backbone, "she goes " + "word " * 253 + "end .")
    found = edits(backbone, text, said)
    assert [(edit.start, edit.end, edit.replacement) for edit in found] == [(4, 6, "goes")]
