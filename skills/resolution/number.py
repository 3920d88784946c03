"""Numbers: "for six" is 6, "1,200" is 1200, "two and a half" is 2.5."""

from __future__ import annotations

import re
from decimal import Decimal

from skills.resolution.figures import in_figures, plain

_NUMBER = re.compile(r"[-−]?\d+(?:[.,']\d+| \d{3}(?!\d))*|[-−]?\.\d+")
_ENGLISH = re.compile(r"-?(?:\d+|\d{1,3}(?:[, ']\d{3})+)(?:\.\d+)?|-?\.\d+")
_ADDED = re.compile(r"\b(?:and|plus|or)\b|[,+] ")
_FRACTION = re.compile(r"(?<![\d/.])(?:(\d{1,9}) )?(\d{1,3})/([1-9]\d{0,2})(?![\d/.])")


def read_number(text: str) -> str | None:
    """Return the only number in the text as a plain decimal.

    None if there is none or several, or if something is added to it ("three adults and a baby").
    """
    figures = in_figures(text)
    number = None if _ADDED.search(figures) else only_number(without_fractions(figures))
    return None if number is None else plain(number)


def without_fractions(figures: str) -> str:
    """Return the text in figures with "2 1/2" as 2.5."""
    return _FRACTION.sub(_quotient, figures)


def only_number(figures: str) -> Decimal | None:
    """Return the only number of a text in figures; a full stop is the decimal point if it can be."""
    found = _NUMBER.findall(figures)
    return _decimal(found[0].replace("−", "-")) if len(found) == 1 else None


def _quotient(found: re.Match[str]) -> str:
    whole, part, of = (Decimal(each or 0) for each in found.groups())
    return plain(round(whole + part / of, 6))


def _decimal(written: str) -> Decimal | None:
    if _ENGLISH.fullmatch(written):
        return Decimal(re.sub("[, ']", "", written))
    from price_parser import Price  # knows 1.200,50 and 12,5

    amount = Price.fromstring(written).amount
    return -amount if amount is not None and written.startswith("-") else amount
