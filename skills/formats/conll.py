"""CoNLL: a token and its BIO tag on each line, a blank line between sentences.

The first column is the token, the last the tag: `O`, `B-slot` or `I-slot`, and a role and a group may follow
the slot (`B-city:destination`). The text of a sentence is its tokens, joined with single spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from skills.errors import DataError, InputError
from skills.formats.row import Place
from skills.formats.slot_row import make_slot_row
from skills.formats.source import Line, read_lines
from skills.slot import SlotLabel
from skills.utterance import Entity, Utterance

SUFFIXES = (".conll", ".bio", ".iob")

_SPACES = re.compile(r"[ \t]+")
_TAG = re.compile(r"O|[BI]-.+")
_DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True)
class _Token:
    text: str
    tag: str
    place: Place


@dataclass(frozen=True)
class _Span:
    """A slot in the making; offsets into the tokens joined with spaces."""

    name: str
    start: int
    end: int


def read_conll(path: Path) -> Iterator[Utterance | DataError]:
    """Yield the sentences of the file and, in their places, what is wrong with bad ones.

    The row of an utterance is the line of its first token. `-DOCSTART-` lines and comments (`# …` without a
    tag) are passed over.

    Raises:
        DataError: the file cannot be read at all.
    """
    for lines in _sentences(path):
        try:
            yield _utterance([_token(Place(str(path), line.number), line) for line in lines])
        except DataError as error:
            yield error


def _sentences(path: Path) -> Iterator[list[Line]]:
    sentence: list[Line] = []
    for line in read_lines(path):
        if not line.text.strip():
            if sentence:
                yield sentence
            sentence = []
        elif not _is_remark(line.text):
            sentence.append(line)
    if sentence:
        yield sentence


def _is_remark(line: str) -> bool:
    columns = _columns(line)
    return columns[0] == _DOCUMENT or (columns[0] == "#" and not _TAG.fullmatch(columns[-1]))


def _columns(line: str) -> list[str]:
    return _SPACES.split(line.strip(" \t\r\n"))


def _token(place: Place, line: Line) -> _Token:
    if line.fault:
        raise place.error(line.fault)
    columns = _columns(line.text)
    if len(columns) < 2:
        raise place.error(
            f"line has {columns[0][:40]!r} only: write a token, a space or a tab, and its tag", field="tag"
        )
    if not _TAG.fullmatch(columns[-1]):
        raise place.error(
            f"tag is {columns[-1][:40]!r}, known are O, B-SLOT and I-SLOT: "
            "convert the file to BIO, also called IOB2",
            field="tag",
        )
    return _Token(columns[0], columns[-1], place)


def _utterance(tokens: list[_Token]) -> Utterance:
    text = " ".join(token.text for token in tokens)
    entities = tuple(
        Entity(label.slot, span.start, span.end, text[span.start : span.end], label.role, label.group)
        for span, place in _spans(tokens)
        for label in [_label(place, span.name)]
    )
    return make_slot_row(tokens[0].place, text, entities)


def _spans(tokens: list[_Token]) -> list[tuple[_Span, Place]]:
    """Return the spans, each with the place of its first token."""
    spans: list[tuple[_Span, Place]] = []
    start, previous = 0, "O"
    for token in tokens:
        prefix, _, name = token.tag.partition("-")
        end = start + len(token.text)
        if prefix == "B":
            spans.append((_Span(name, start, end), token.place))
        elif prefix == "I":
            _check_transition(token, previous)
            opened, place = spans[-1]
            spans[-1] = _Span(name, opened.start, end), place
        start, previous = end + 1, token.tag
    return spans


def _check_transition(token: _Token, previous: str) -> None:
    name = token.tag[2:]
    if previous == "O" or previous[2:] != name:
        raise token.place.error(
            f"tag {token.tag!r} follows {previous!r}, so no {name!r} has begun: "
            f"write B-{name} on the first token of a slot",
            field="tag",
        )


def _label(place: Place, name: str) -> SlotLabel:
    try:
        return SlotLabel.parse(name)
    except InputError as error:
        raise place.error(str(error), field="tag") from error
