"""A text as the backbone reads it, with the way back to the text as it was written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenizers import Encoding

from nlu.backbone import MAX_TOKENS, Backbone

# White space, control characters, and what T5 reads as a space, such as zero-width ones. Replaced by plain
# spaces before T5's own normalisation, which is not exact about offsets where it deletes characters.
BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\ufeff]")

SPACE = "▁"  # SentencePiece's mark of a space; on its own it stands for no character of the text


@dataclass(frozen=True)
class Tokens:
    """A text's token ids and the part of the text that each stands for.

    offsets: (start, end) of each token in code points, blanks left out; tokens of one code point share it,
    and (n, n) is a token that stands for no character, as the last one does. end: the code point after the
    last character that they cover.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    end: int


def tokenise(backbone: Backbone, text: str) -> Tokens:
    """Return at most MAX_TOKENS tokens of `text`, the last one the end-of-sequence token."""
    plain = BLANK.sub(" ", text)
    encoding = backbone.tokenizer.encode(plain)
    offsets = _offsets(plain, encoding)
    if len(encoding.ids) <= MAX_TOKENS:
        return Tokens(tuple(encoding.ids), tuple(offsets), len(text))
    kept = MAX_TOKENS - 1
    end = offsets[kept - 1][1]
    return Tokens((*encoding.ids[:kept], encoding.ids[-1]), (*offsets[:kept], (end, end)), end)


def _offsets(text: str, encoding: Encoding) -> list[tuple[int, int]]:
    visible = [_visible(text, *each) for each in zip(encoding.tokens, encoding.offsets, strict=True)]
    limit = len(text)
    for place, (start, end) in reversed(list(enumerate(visible))):
        if end > start:
            if end < limit and text[end] != " ":  # T5 composed more into it, such as combining accents
                visible[place] = start, end + len(text[end:limit].split(" ", 1)[0])
            limit = start
    reached = 0
    offsets: list[tuple[int, int]] = []
    for start, end in visible:
        offsets.append((start, end) if end > start else (reached, reached))
        reached = offsets[-1][1]
    return offsets


def _visible(text: str, token: str, span: tuple[int, int]) -> tuple[int, int]:
    """Return a token's span without the spaces at its edges; empty if nothing is left."""
    start, end = span
    while start < end and text[start] == " ":
        start += 1
    while start < end and text[end - 1] == " ":
        end -= 1
    return (0, 0) if token == SPACE or start >= end else (start, end)
