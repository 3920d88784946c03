"""Regular expressions of slot types, which come from data files: bounded in length and in time."""

from __future__ import annotations

import regex

from skills.errors import InputError

MAX_PATTERN = 1_000  # characters
TIMEOUT = 0.02  # seconds; a sane pattern takes microseconds on a slot's text


class Pattern:
    """Finds the part of a text that a regular expression describes, whatever its case."""

    def __init__(self, pattern: str) -> None:
        self._compiled = regex.compile(pattern, regex.IGNORECASE)

    def find(self, raw: str) -> str | None:
        """Return the first match that is not empty, None if there is none in time."""
        try:
            found = self._compiled.search(raw, timeout=TIMEOUT)
        except TimeoutError:
            return None
        return (found[0].strip() or None) if found else None


def check_pattern(pattern: str) -> str:
    """Return `pattern` if it can be used.

    Raises:
        InputError: it is too long or not a regular expression.
    """
    if len(pattern) > MAX_PATTERN:
        raise InputError(
            f"pattern {pattern[:20]!r}… has {len(pattern):,} characters, "
            f"at most {MAX_PATTERN:,} are allowed: write several",
            field="patterns",
        )
    try:
        regex.compile(pattern, regex.IGNORECASE)
    except (regex.error, OverflowError, RecursionError) as error:
        raise InputError(
            f"pattern {pattern[:60]!r} is not a regular expression ({error}): mend it", field="patterns"
        ) from error
    return pattern
