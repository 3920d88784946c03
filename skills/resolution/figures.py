"""Spoken numbers in figures: "half a million" is 500000, "twenty first" is 21st."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

Rewrite = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_LANGUAGE = "en"
_PERIOD = r"(?:hour|day|week|fortnight|month|year|minute|sec)"
_MANY = r"(?:dozen|hundred|thousand|million|billion)"

# "second" is an ordinal unless a number is before it.
_BEFORE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b(?:one|1|a) second\b(?! of)"), "one sec"),
    (re.compile(r"\ban? couple(?: of)?\b"), "two"),
    (re.compile(r"\bcouple of\b"), "two"),
    (re.compile(r"^dozen\b"), "one dozen"),
    (re.compile(rf"(?<!half )(?<!of )\ban? (?=(?:{_PERIOD}|{_MANY})\b)"), "one "),
)
_VULGAR_FRACTION = re.compile(r"(?<=\d)(?=[¼½¾⅓⅔])")  # 2½ is not 21/2
_HYPHEN = re.compile(r"(?<=[a-z])-(?=[a-z])")
_FIGURE = r"(\d+(?:\.\d+)?)"


def _times(factor: str) -> Callable[[re.Match[str]], str]:
    return lambda found: plain(Decimal(found[1]) * Decimal(factor))


def _product(found: re.Match[str]) -> str:
    return plain(Decimal(found[1]) * Decimal(found[2]))


def _and_a_half(found: re.Match[str]) -> str:
    return f"{plain(Decimal(found[1]) + Decimal('0.5'))} {found[2]}"


def _quarters(found: re.Match[str]) -> str:
    return "0.75 " if found[1] == "3" else "0.25 "


_AFTER: tuple[Rewrite, ...] = (
    (re.compile(rf"{_FIGURE} ?k\b"), _times("1000")),
    (re.compile(rf"{_FIGURE} and a half\b"), lambda found: plain(Decimal(found[1]) + Decimal("0.5"))),
    (re.compile(rf"{_FIGURE} and a quarter\b"), lambda found: plain(Decimal(found[1]) + Decimal("0.25"))),
    (re.compile(rf"{_FIGURE} ({_PERIOD}s?) and a half\b"), _and_a_half),
    (re.compile(rf"\bhalf an? (?={_PERIOD})"), lambda _: "0.5 "),
    (re.compile(rf"\b(3|an?|1)? ?quarters? of (?:an?|1) (?={_PERIOD})"), _quarters),
    (re.compile(rf"{_FIGURE} (100|1000(?:000)*)\b"), _product),
    (re.compile(rf"{_FIGURE} ?(?:million|mio|mn)\b"), _times("1000000")),
    (re.compile(rf"{_FIGURE} dozen\b"), _times("12")),
    (re.compile(r"\bhalf an? (\d+)\b"), _times("0.5")),
    (re.compile(r"\b(?:an? |1 )?quarter of an? (\d+)\b"), _times("0.25")),
    (re.compile(r"\bhalf an? dozen\b"), lambda _: "6"),
    (re.compile(r"\b(?:minus|negative) (?=\d)"), lambda _: "-"),
)


def in_figures(text: str) -> str:
    """Return the text in lower case, its numbers in figures; what is no number stays as it is."""
    from text_to_num import alpha2digit

    text = _VULGAR_FRACTION.sub(" ", text)
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'").replace("\u2044", "/")
    text = " ".join(_HYPHEN.sub(" ", text).split())
    for pattern, replacement in _BEFORE:
        text = pattern.sub(replacement, text)
    text = str(alpha2digit(text, _LANGUAGE, 0))
    for after, rewrite in _AFTER:
        text = after.sub(rewrite, text)
    return text


def plain(number: Decimal) -> str:
    """Return the number without an exponent and without zeros that say nothing."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
