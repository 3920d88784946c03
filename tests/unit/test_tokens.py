from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlu.backbone import MAX_TOKENS, Backbone
from nlu.tokens import BLANK, tokenise

PIECES = [
    *"ab 2XyZ.,!?'-@#$%&ßœø€£½™①…‘’“”–—",
    *("hello", "Denver", "7pm", "  ", "\t", "\r\n", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}"),
    *("\x00", "\x01", "\x7f", "\x9f", "\N{ZERO WIDTH SPACE}", "\N{ZERO WIDTH JOINER}", "\ufeff"),
    *("e\u0301", "e\u0301\u0301", "a\u030a\u0301", "ẛ\u0323", "é", "ü", "ﬁ", "ﬂow", "ＡＢ", "３"),
    *("㎏", "Ⅷ", "ǆ", "ﷺ", "日本", "한국", "שלום", "नमस्ते", "\N{GRINNING FACE}", "❤\ufe0f", "1\ufe0f\u20e3"),
    *("</s>", "<pad>", "▁", "\ufffd", "\N{SOFT HYPHEN}"),
]


def parts(backbone: Backbone, text: str) -> list[tuple[str, str]]:
    """Each token that stands for something, and what it stands for."""
    tokens = tokenise(backbone, text)
    names = [str(backbone.tokenizer.id_to_token(each)) for each in tokens.ids]
    spans = zip(names, tokens.offsets, strict=True)
    return [(name.lstrip("▁"), text[start:end]) for name, (start, end) in spans if end > start]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello world", ["hello", "world"]),
        ("  hello  world ", ["hello", "world"]),
        ("\thello\r\nworld", ["hello", "world"]),
        ("hello\N{NO-BREAK SPACE}world", ["hello", "world"]),
        ("café naïve", ["café", "n", "a", "ï", "ve"]),
        ("cafe\u0301 x", ["cafe\u0301", "x"]),
        ("e\u0301\u0301x", ["e\u0301\u0301", "x"]),
        ("ﬁne ﬂow", ["ﬁne", "ﬂow"]),
        ("ＡＢＣ １２３", ["ＡＢＣ", "１２３"]),
        ("333", ["333"]),
        ("…what", ["…", "what"]),
        ("½ cup", ["½", "½", "½", "cup"]),
        ("I \N{GRINNING FACE} you", ["I", "\N{GRINNING FACE}", "you"]),
        ("I ❤\ufe0f you", ["I", "❤\ufe0f", "you"]),
        ("book for 2pm", ["book", "for", "2", "pm"]),
        ("\N{ZERO WIDTH SPACE}zero", ["zero"]),
        ("\x01ﬁne", ["ﬁne"]),
        ("fine\x7f", ["fine"]),
        ("</s> x", ["</s>", "x"]),
        ("日本語", ["日本語"]),
        ("", []),
        (" \n", []),
    ],
)
def test_each_token_is_a_part_of_the_text_as_it_was_written(
    backbone: Backbone, text: str, expected: list[str]
) -> None:
    assert [part for _, part in parts(backbone, text)] == expected


def plain(text: str) -> str:
    """Letters and digits without accents, as they are after any Unicode normalisation."""
    decomposed = unicodedata.normalize("NFKD", text.replace("\N{FRACTION SLASH}", ""))
    return "".join(each for each in decomposed if each.isalnum() and each.isascii())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_tokens_cover_the_text_in_order(backbone: Backbone, text: str) -> None:
    tokens = tokenise(backbone, text)
    assert tokens.end == len(text)
    assert len(tokens.ids) == len(tokens.offsets)
    assert tokens.ids[-1] == 1 and tokens.offsets[-1][0] == tokens.offsets[-1][1]
    covered: set[int] = set()
    reached = 0
    for start, end in tokens.offsets:
        assert reached - 1 <= start <= end and end >= reached  # two tokens may share a code point
        reached = end
        covered.update(range(start, end))
        assert text[start:end] == BLANK.sub(" ", text[start:end]).strip(" ")
    visible = {place for place, character in enumerate(text) if not BLANK.match(character)}
    assert {place for place in visible if text[place] not in "▁\ufffd"} <= covered <= visible
    for name, part in parts(backbone, text):
        assert plain(name) in plain(part) or name == "<unk>", (text, name, part)


def test_blanks_read_as_before(backbone: Backbone) -> None:
    """Only control characters change what the backbone reads: they part words instead of vanishing."""
    for blank in "\t\n\r \N{NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}\u200b\u200c\u200d\ufeff":
        text = f"hello{blank}world"
        assert tokenise(backbone, text).ids == tuple(backbone.tokenizer.encode(text).ids)


def test_a_long_text_is_cut_and_says_where(backbone: Backbone) -> None:
    text = "word " * 300
    tokens = tokenise(backbone, text)
    assert len(tokens.ids) == MAX_TOKENS
    assert tokens.ids[-1] == 1
    assert tokens.end == 5 * (MAX_TOKENS - 1) - 1
    assert tokens.offsets[-2:] == ((tokens.end - 4, tokens.end), (tokens.end, tokens.end))
