"""A decoded correction put back into the text as it was written.

The decoder knows the text only as T5 reads it: one space between words, compatibility characters written
out, what has no token as one unknown. So its correction is compared with the source word by word in T5's
terms; words that it left alone stay as they were written, with the white space around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import accumulate

from tokenizers import Tokenizer

from nlu.corrector import Correction
from nlu.tokens import SPACE, Tokens
from skills.edits import Edit, apply_edits, edits_between
from skills.parse import GrammarAnswer
from skills.protection import keep_protected

_UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # T5 reads it as a space, so no piece has it
_NONE = -2  # no word's place, nor the one before the first


def corrected_answer(
    tokenizer: Tokenizer,
    text: str,
    tokens: Tokens,
    correction: Correction,
    *,
    error_probability: float,
    protected: Sequence[tuple[int, int]],
) -> GrammarAnswer:
    """Return what a correction says of a text, without the edits that would change a protected span."""
    edits = correction_edits(tokenizer, text, tokens, correction, otherwise=error_probability)
    edits = keep_protected(text, edits, protected)
    return GrammarAnswer(not edits, 1 - error_probability, apply_edits(text, edits), edits)


def correction_edits(
    tokenizer: Tokenizer, text: str, tokens: Tokens, correction: Correction, *, otherwise: float
) -> tuple[Edit, ...]:
    """Return the edits that a correction makes to a text, ascending.

    Args:
        tokenizer: the backbone's.
        text: as it was written.
        tokens: its tokens.
        correction: what the decoder made of them.
        otherwise: confidence of an edit that only deletes, and so has no token of the correction; the others
            have the mean probability of their words.
    """
    if correction.token_ids == tokens.ids[:-1]:
        return ()
    source = _source_words(tokenizer, text, tokens)
    rewritten = _rewritten(text, source, _corrected_words(tokenizer, tokens, correction))
    edits = edits_between(text, "".join(part.text for part in rewritten))
    if tokens.end < len(text):  # the decoder saw the last word without its end
        edits = tuple(edit for edit in edits if edit.end < source[-1].start)
    return _with_confidence(edits, rewritten, otherwise)


@dataclass(frozen=True)
class _Word:
    """A word as T5 reads it, `text[start:end]` as it was written."""

    text: str
    start: int
    end: int
    unknown: tuple[str, ...] = ()  # what has no token, as it was written


@dataclass(frozen=True)
class _Part:
    """A piece of the corrected text; None is the probability of what was there before."""

    text: str
    probability: float | None = None


def _source_words(tokenizer: Tokenizer, text: str, tokens: Tokens) -> list[_Word]:
    words: list[_Word] = []
    begins = True
    for token_id, (start, end) in zip(tokens.ids[:-1], tokens.offsets, strict=False):
        piece = _piece(tokenizer, token_id)
        begins = begins or piece.startswith(SPACE)
        if start == end:
            continue
        body = piece.removeprefix(SPACE)
        unknown = (text[start:end],) if body == _UNKNOWN else ()
        if not words or (begins and start >= words[-1].end):
            words.append(_Word(body, start, end, unknown))
        else:  # one code point may be several words to T5
            last = words[-1]
            body = f"{last.text}{' ' * begins}{body}"
            words[-1] = _Word(body, last.start, max(end, last.end), last.unknown + unknown)
        begins = False
    return words


def _corrected_words(tokenizer: Tokenizer, tokens: Tokens, correction: Correction) -> list[_Part]:
    words: list[tuple[str, list[float]]] = [("", [])]
    special = set(tokenizer.get_added_tokens_decoder()) - set(tokens.ids)
    for token_id, probability in zip(correction.token_ids, correction.probabilities, strict=True):
        if token_id in special:
            continue
        piece = _piece(tokenizer, token_id)
        if piece.startswith(SPACE):
            words.append(("", []))
        text, probabilities = words.pop()
        words.append((text + piece.removeprefix(SPACE), [*probabilities, probability]))
    return [_Part(text, sum(found) / len(found)) for text, found in words if text]


def _piece(tokenizer: Tokenizer, token_id: int) -> str:
    piece = tokenizer.id_to_token(token_id) or ""  # T5 has more embeddings than pieces
    return _UNKNOWN if piece == "<unk>" else piece


def _rewritten(text: str, source: Sequence[_Word], words: Sequence[_Part]) -> list[_Part]:
    """Return the corrected text, in parts."""
    unknown = sum(len(word.unknown) for word in source)
    if unknown != sum(word.text.count(_UNKNOWN) for word in words):  # the decoder lost some: it keeps none
        source = [replace(word, text=word.text.replace(_UNKNOWN, "")) for word in source]
        words = [replace(word, text=word.text.replace(_UNKNOWN, "")) for word in words]
        words = [word for word in words if word.text]
    rewriting = _Rewriting(text, source)
    places = [place for place, word in enumerate(source) if word.text]
    matcher = SequenceMatcher(
        None, [source[place].text for place in places], [word.text for word in words], autojunk=False
    )
    for operation, start, end, first, last in matcher.get_opcodes():
        old, new = places[start:end], words[first:last]
        restored = None if operation == "equal" else _restored([source[place] for place in old], new)
        if restored is None:
            for place in old:
                rewriting.keep(place)
        else:
            rewriting.replace(old, restored)
    return rewriting.finished()


def _restored(old: Sequence[_Word], new: Sequence[_Part]) -> list[_Part] | None:
    """Return new words with what has no token as it was written; None if the old ones had better stay."""
    unknown = [each for word in old for each in word.unknown]
    if len(unknown) != sum(word.text.count(_UNKNOWN) for word in new):
        return None
    if " ".join(word.text for word in old) == " ".join(word.text for word in new):
        return None
    left = iter(unknown)
    return [
        replace(word, text="".join(next(left) if each == _UNKNOWN else each for each in word.text))
        for word in new
    ]


class _Rewriting:
    """Puts words one after the other, with the white space that was between them."""

    def __init__(self, text: str, source: Sequence[_Word]) -> None:
        self._text = text
        self._source = source
        self._parts: list[_Part] = []
        self._next = 0  # the first word that is not dealt with
        self._last = -1  # the word that stands at the end, or was replaced by what does

    def keep(self, place: int) -> None:
        """Take over words as they were written, up to and with the one at `place`."""
        for each in range(self._next, place + 1):
            self._keep_one(each)
        self._next = max(self._next, place + 1)

    def replace(self, places: Sequence[int], words: Sequence[_Part]) -> None:
        """Put words in the place of others, or after what is there so far."""
        if places:
            self.keep(places[0] - 1)
        for word in words:
            self._put(self._gap(places[0]) if places and word is words[0] else " ", word)
        self._last = places[-1] if places and words else _NONE
        for each in range(self._next, places[-1] if places else 0):
            if each not in places:  # it has nothing that T5 knows, and stays
                self._keep_one(each)
        self._next = places[-1] + 1 if places else self._next

    def finished(self) -> list[_Part]:
        """Take over the rest, and return all parts."""
        self.keep(len(self._source) - 1)
        begin, end = (self._source[0].start, self._source[-1].end) if self._source else (0, 0)
        return [_Part(self._text[:begin]), *self._parts, _Part(self._text[end:])]

    def _keep_one(self, place: int) -> None:
        word = self._source[place]
        self._put(self._gap(place), _Part(self._text[word.start : word.end]))
        self._last = place

    def _gap(self, place: int) -> str:
        """Return what is before a word; at least a space if another word was before it."""
        before = self._source[place - 1].end if place else self._source[place].start
        gap = self._text[before : self._source[place].start]
        return gap if self._last == place - 1 else gap or " "

    def _put(self, gap: str, part: _Part) -> None:
        if self._parts:
            self._parts.append(_Part(gap))
        self._parts.append(part)


def _with_confidence(edits: Sequence[Edit], rewritten: Sequence[_Part], otherwise: float) -> tuple[Edit, ...]:
    ends = list(accumulate(len(part.text) for part in rewritten))
    moved = 0
    found = []
    for edit in edits:
        start = edit.start + moved
        end = start + len(edit.replacement)
        moved += len(edit.replacement) - (edit.end - edit.start)
        probabilities = [
            part.probability
            for part, part_end in zip(rewritten, ends, strict=True)
            if part.probability is not None and part_end > start and part_end - len(part.text) < end
        ]
        mean = sum(probabilities) / len(probabilities) if probabilities else otherwise
        found.append(replace(edit, confidence=mean))
    return tuple(found)
