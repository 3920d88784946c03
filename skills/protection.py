"""What a correction must not change: numbers, URLs, e-mail addresses, names with @."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skills.edits import Edit

# Common top-level domains that are no English words, so that "nice.me too" is two sentences.
_DOMAINS = "com|org|net|edu|gov|io|info|biz|app|dev|ai|tv|uk|de|fr|eu|ca|au|jp|nl|es|ch"

_PROTECTED = re.compile(
    rf"""
    (?:https?://|www\.)\S*[^\s.,;:!?)\]}}'"]                       # URLs
  | [\w.+-]+@[\w-]+(?:\.[\w-]+)+                                   # e-mail addresses
  | (?<![\w.-])(?:[a-z0-9-]+\.)+(?:{_DOMAINS})\b(?:/[^\s.,;:!?]*)? # domains without a scheme
  | (?<!\w)[@\#][\w]+(?:[.-]\w+)*                                  # names and tags
  | [+-]?[$€£¥]?\w*\d\w*(?:[.,:/'’-]\w*\d\w*)*%?(?:\ [ap](?:m\b|\.m\.))?  # 12, $1,000.50, 10:30 pm, 3rd, A380
    """,
    re.VERBOSE | re.IGNORECASE,
)


def protected_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Return where the text has something that no grammar rule knows better, ascending, in code points."""
    return tuple(match.span() for match in _PROTECTED.finditer(text))


def keep_protected(text: str, edits: Sequence[Edit], spans: Sequence[tuple[int, int]]) -> tuple[Edit, ...]:
    """Return the edits that leave the spans as they are, case and inner white space included."""
    return tuple(edit for edit in edits if not any(_changes(text, edit, *span) for span in spans))


def _changes(text: str, edit: Edit, start: int, end: int) -> bool:
    """Whether an edit changes `text[start:end]`, or puts a letter or a digit right beside it."""
    narrow = _narrowed(text, edit)
    if narrow.start < end and narrow.end > start:
        return True
    left = text[: narrow.start] + narrow.replacement
    right = narrow.replacement + text[narrow.end :]
    return (narrow.end == start and _glued(left[-1:], text[start])) or (
        narrow.start == end and _glued(text[end - 1], right[:1])
    )


def _glued(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum()


def _narrowed(text: str, edit: Edit) -> Edit:
    """Return the same edit without what it leaves alone at its edges."""
    start, end, replacement = edit.start, edit.end, edit.replacement
    while start < end and replacement and text[start] == replacement[0]:
        start, replacement = start + 1, replacement[1:]
    while start < end and replacement and text[end - 1] == replacement[-1]:
        end, replacement = end - 1, replacement[:-1]
    return Edit(start, end, replacement)
