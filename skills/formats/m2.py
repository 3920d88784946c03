"""M2: a tokenised sentence, and each annotator's edits of it (Dahlmeier and Ng 2012; ERRANT writes it, too).

    S I likes it .
    A 1 2|||R:VERB:SVA|||like|||REQUIRED|||-NONE-|||0

Offsets are of tokens, the end is exclusive. An edit of type noop, or with an unknown correction (UNK),
changes nothing; of alternatives ("like||love"), the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skills.errors import DataError
from skills.formats.row import Place
from skills.formats.source import Line, read_lines

_EDIT = "A START END|||TYPE|||CORRECTION|||REQUIRED|||-NONE-|||ANNOTATOR"
_NOTHING = "-NONE-"
_UNCHANGED = ("noop", "UNK")
_FIELDS = 6


@dataclass(frozen=True)
class AnnotatedSentence:
    """A sentence, tokens joined with single spaces, and the correction of each annotator."""

    place: Place
    text: str
    corrections: tuple[str, ...]


@dataclass(frozen=True, order=True)
class _TokenEdit:
    start: int
    end: int
    correction: str


def read_m2(path: Path) -> Iterator[AnnotatedSentence | DataError]:
    """Yield the sentences of the file and, in their places, what is wrong with bad ones.

    The row of a sentence is its line that begins with "S". One without annotators is right.

    Raises:
        DataError: the file cannot be read at all.
    """
    for lines in _blocks(path):
        try:
            yield _sentence(path, lines)
        except DataError as error:
            yield error


def _blocks(path: Path) -> Iterator[list[Line]]:
    block: list[Line] = []
    for line in read_lines(path):
        if line.text.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _sentence(path: Path, lines: list[Line]) -> AnnotatedSentence:
    for line in lines:
        if line.fault:
            raise Place(str(path), line.number).error(line.fault)
    first = Place(str(path), lines[0].number)
    kind, _, text = lines[0].text.rstrip("\r\n").partition(" ")
    if kind != "S":
        raise first.error(f"line begins with {kind[:20]!r}: begin a sentence with S, after a blank line")
    tokens = text.split()
    by_annotator: dict[str, list[_TokenEdit]] = {}
    for line in lines[1:]:
        place = Place(str(path), line.number)
        annotator, edit = _edit(place, line.text.rstrip("\r\n"), len(tokens))
        edits = by_annotator.setdefault(annotator, [])
        if edit is not None:
            _check_overlap(place, edits, edit)
            edits.append(edit)
    corrections = [_applied(tokens, edits) for _, edits in sorted(by_annotator.items())]
    return AnnotatedSentence(first, " ".join(tokens), tuple(corrections) or (" ".join(tokens),))


def _edit(place: Place, line: str, count: int) -> tuple[str, _TokenEdit | None]:
    """Return who made an edit, and the edit if it changes anything."""
    fields = line.split("|||")
    span = fields[0].split()
    if len(fields) != _FIELDS or len(span) != 3 or span[0] != "A":
        raise place.error(f"line is {line[:60]!r}: write {_EDIT}")
    kind, correction, annotator = fields[1], fields[2].partition("||")[0].strip(), fields[5].strip()
    if kind in _UNCHANGED:
        return annotator, None
    start, end = (_offset(place, each) for each in span[1:])
    if not 0 <= start <= end <= count:
        raise place.error(
            f"edit is of tokens {start} to {end}, but the sentence has {count}: count tokens from 0, "
            "the end is exclusive"
        )
    return annotator, _TokenEdit(start, end, "" if correction == _NOTHING else correction)


def _offset(place: Place, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise place.error(f"offset is {text[:20]!r}, no number: write {_EDIT}") from error


def _check_overlap(place: Place, edits: list[_TokenEdit], edit: _TokenEdit) -> None:
    for other in edits:
        if edit.start < other.end and other.start < edit.end:
            raise place.error(
                f"edit of tokens {edit.start} to {edit.end} overlaps that of {other.start} to {other.end} by "
                "the same annotator: make one of them, or give them two annotators"
            )


def _applied(tokens: list[str], edits: list[_TokenEdit]) -> str:
    """Return the corrected text; insertions at one place stay in their order."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        parts += [*tokens[position : edit.start], *edit.correction.split()]
        position = edit.end
    return " ".join([*parts, *tokens[position:]])
