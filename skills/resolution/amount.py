"""Amounts of money: "twenty euros" is 20.00 EUR, "$12.50" is 12.50 USD."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import cache

from skills.resolution.figures import in_figures, plain
from skills.resolution.number import only_number

_LOCALE = "en"

# What English speakers say for short, and which of the dollars and pounds they mean without saying so.
_SHORT = {
    "dollar": "USD",
    "dollars": "USD",
    "buck": "USD",
    "bucks": "USD",
    "us$": "USD",
    "pound": "GBP",
    "pounds": "GBP",
    "quid": "GBP",
    "sterling": "GBP",
    "pounds sterling": "GBP",
    "yen": "JPY",
    "yuan": "CNY",
    "rand": "ZAR",
    "zloty": "PLN",
    "zł": "PLN",
    "shekels": "ILS",
    "baht": "THB",
    "forints": "HUF",
}
_FILLERS = re.compile(r"\b(?:about|around|roughly|for|of|up to|just|only|exactly|a|an|the|please)\b")
_CODE = re.compile(r"(?<![^\W\d_])[A-Z]{3}(?![^\W\d_])")
_ONLY_CODE = re.compile(r"^[^a-z]*([a-z]{3})[^a-z]*$")  # in lower case "all" and "top" are words
_LETTER = re.compile(r"[^\W\d_]|[%¢]")
_MILLION = re.compile(r"(?<=\d)[mM]\b")
_THOUSANDS = re.compile(r"\b([1-9]\d{0,2})\.(\d{3})\b(?![.,]\d)")  # nobody speaks of tenths of a cent


def read_amount(text: str) -> str | None:
    """Return the amount with its currency's ISO 4217 code, or as a plain decimal if it names none.

    None if there is no number or several, or if what else is said is no currency.
    """
    figures = in_figures(_MILLION.sub(" million", text))
    currency, rest = _currency(figures, text)
    number = only_number(_THOUSANDS.sub(r"\1\2", rest))
    if number is None or _LETTER.search(_FILLERS.sub("", rest)):
        return None
    return plain(number) if currency is None else f"{_with_cents(number, currency)} {currency}"


def _with_cents(number: Decimal, currency: str) -> str:
    """Return the number with at least the decimals that the currency has."""
    from babel.numbers import get_currency_precision

    text = plain(number)
    decimals = len(text.partition(".")[2])
    return f"{number:.{max(decimals, get_currency_precision(currency))}f}"


def _currency(figures: str, text: str) -> tuple[str | None, str]:
    """Return the code of the currency that is named, and the text without its name."""
    names, pattern = _names()
    found = pattern.search(figures)
    if found:
        return names[found[0]], figures[: found.start()] + " " + figures[found.end() :]
    for code in _CODE.findall(text) + _ONLY_CODE.findall(figures):
        if (written := code.upper()) in names:
            return written, figures.replace(code.lower(), " ")
    return None, figures


@cache
def _names() -> tuple[dict[str, str], re.Pattern[str]]:
    """Return codes by name, symbol and code, in lower case, and what finds them, the longest first."""
    from babel import Locale
    from babel.numbers import get_currency_name, get_currency_symbol, list_currencies

    locale = Locale.parse(_LOCALE)
    names: dict[str, str] = {}
    for code in sorted(list_currencies(locale)):
        for name in (get_currency_name(code, count, locale) for count in (None, 1, 2)):
            names.setdefault(name.casefold(), code)
        if not (symbol := get_currency_symbol(code, locale)).isalpha():
            names.setdefault(symbol.casefold(), code)
        names[code] = code
    names |= _SHORT
    said = sorted((name for name in names if not name.isupper()), key=len, reverse=True)
    return names, re.compile("|".join(rf"(?<![^\W\d_]){re.escape(name)}(?![^\W\d_])" for name in said))
