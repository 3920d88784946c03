"""A list of values, each with other ways to say it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from skills.errors import InputError


class ClosedList:
    """Finds the canonical value of what was said; case and white space do not count.

    Accents and punctuation do not count either, where that leaves one value only.

    Raises:
        InputError: a value is blank, or something said means two values.
    """

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._exact: dict[str, str] = {}
        self._loose: dict[str, str | None] = {}  # None where several values are alike
        for canonical, synonyms in values.items():
            for said in (canonical, *synonyms):
                self._add(said, canonical)

    def find(self, raw: str) -> str | None:
        """Return the canonical value, None if there is none."""
        return self._exact.get(exact_key(raw)) or self._loose.get(_loose_key(raw))

    def _add(self, said: str, canonical: str) -> None:
        key = exact_key(said)
        if not key:
            raise InputError(f"a synonym of {canonical!r} is blank: remove it", field="values")
        if (other := self._exact.setdefault(key, canonical)) != canonical:
            raise InputError(
                f"{said!r} means {other!r} and {canonical!r}: leave it with one of them", field="values"
            )
        if loose := _loose_key(said):
            known = self._loose.setdefault(loose, canonical)
            self._loose[loose] = canonical if known == canonical else None


def exact_key(said: str) -> str:
    """Return the text without what never makes another value of it."""
    return " ".join(unicodedata.normalize("NFKC", said).casefold().split())


def _loose_key(said: str) -> str:
    plain = unicodedata.normalize("NFKD", said.casefold())
    return "".join(character for character in plain if character.isalnum())
