"""Verify-and-correct decoding: what greedy decoding gives, in a few parallel passes.

The source is proposed as its own correction, and one pass tells how far the decoder agrees. From where it
departs, its own token is taken and the rest of the source is proposed again. So a sentence with two errors
takes about three passes, and a pass mixes rows of any skills and lengths.

Alone, a row proposes much at once: a pass costs what it takes to fetch the weights, whatever it reads.
Among many rows each token costs, and what follows a departure is read in vain; so they propose little.

Token for token equal to greedy decoding (a test compares), as a token is only kept if it is the likeliest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nlu.draft import Draft
from nlu.engine.decoder_base import Cache, CacheSize, DecoderEngine, Ints
from nlu.prompt import DecoderPrompt, Floats

START, END = 0, 1  # T5 begins with its padding token
ROWS = 64  # that share a pass: more only need more memory
PASS_TOKENS = 320  # of their drafts together: from here on, a pass takes twice as long for twice the tokens
DRAFT_TOKENS = (4, 12)  # of one row's draft, in a full pass and in one of few rows
CACHE_TOKENS = 8192  # of all rows, at 12 or 24 KB each
GROWTH = 16  # tokens that a correction may have more than 1.5 times the source


@dataclass(frozen=True, eq=False)
class CorrectionRow:
    """A source (tokens, END last), its (L, D) encoder states, and the prompt of its skill."""

    token_ids: tuple[int, ...]
    states: Floats
    prompt: DecoderPrompt

    @property
    def length(self) -> int:
        """Positions that the decoder verifies."""
        return len(self.token_ids)


@dataclass(frozen=True)
class Correction:
    """Decoded tokens without END, the probability of each, and in how many passes."""

    token_ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    passes: int

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about: an int, a float and two pointers a token."""
        return 80 * len(self.token_ids)


class Corrector:
    """Decodes corrections of batches of rows. Not thread-safe: one thread calls `correct`."""

    def __init__(self, decoder: DecoderEngine[Any]) -> None:
        self._decoder = decoder

    def correct(self, rows: Sequence[CorrectionRow]) -> list[Correction]:
        """Return what greedy decoding would say of each row; a row that is done makes room for the next."""
        outputs = [_Output(row) for row in rows]
        if outputs:
            self._decode(outputs)
        return [output.correction() for output in outputs]

    def _decode(self, outputs: Sequence[_Output]) -> None:
        tokens = max(output.end for output in outputs) + DRAFT_TOKENS[1]
        memory = max(output.row.prompt.length + len(output.row.states) for output in outputs)
        slots = min(len(outputs), ROWS, max(1, CACHE_TOKENS // tokens))
        cache = self._decoder.cache(CacheSize(slots, tokens, memory))
        waiting = sorted(outputs, key=lambda output: output.row.length)
        going: list[_Output] = []
        while waiting or going:
            entering = [waiting.pop() for _ in range(min(slots - len(going), len(waiting)))]  # longest first
            if entering:
                rows = [output.row for output in entering]
                prompts, states = [row.prompt for row in rows], [row.states for row in rows]
                self._decoder.admit(cache, len(going), prompts, states)
            going += entering
            self._step(cache, going)
            _dismiss(cache, going)

    def _step(self, cache: Cache, going: Sequence[_Output]) -> None:
        """Read what is proposed to each row, and keep what is right."""
        most = int(np.clip(PASS_TOKENS // len(going), *DRAFT_TOKENS))
        proposed = [output.propose(most) for output in going]
        begin = np.array([output.position for output in going])
        counts = np.array([len(each) for each in proposed])
        best, probabilities = self._decoder.likeliest(cache, np.concatenate(proposed), begin, counts)
        ends = np.cumsum(counts)[:-1]
        parts = zip(going, np.split(best, ends), np.split(probabilities, ends), strict=True)
        for output, tokens, likely in parts:
            output.accept(tokens, likely)


@dataclass(eq=False)
class _Output:
    """What one row has decoded so far."""

    row: CorrectionRow
    tokens: list[int] = field(default_factory=list)
    probabilities: list[float] = field(default_factory=list)
    passes: int = 0
    done: bool = False

    def __post_init__(self) -> None:
        self._draft = Draft(self.row.token_ids)
        self._limit = 3 * self.row.length // 2 + GROWTH

    @property
    def end(self) -> int:
        """The position that it may not reach."""
        return self.row.prompt.length + self._limit

    @property
    def position(self) -> int:
        """Where the next token to be read stands, the prompt before it."""
        return self.row.prompt.length + len(self.tokens)

    def propose(self, most: int) -> tuple[int, ...]:
        """Return the last token, which the decoder has not read yet, and a draft of at most so many."""
        last = self.tokens[-1] if self.tokens else START
        self._proposed = self._draft.propose(most)
        return (last, *self._proposed)

    def accept(self, best: Ints, probabilities: Floats) -> None:
        """Keep the decoder's tokens as far as the draft led it right."""
        departed = np.flatnonzero(best[:-1] != np.array(self._proposed, np.int64))
        count = int(departed[0]) if len(departed) else len(best) - 1
        self._draft.accept(count, int(best[count]))
        self.passes += 1
        kept = best[: count + 1].tolist()[: self._limit - len(self.tokens)]
        if END in kept:
            del kept[kept.index(END) + 1 :]
        self.tokens += kept
        self.probabilities += probabilities[: len(kept)].tolist()
        self.done = self.tokens[-1] == END or len(self.tokens) == self._limit

    def correction(self) -> Correction:
        ended = self.tokens[-1:] == [END]
        size = len(self.tokens) - ended
        return Correction(tuple(self.tokens[:size]), tuple(self.probabilities[:size]), self.passes)


def _dismiss(cache: Cache, going: list[_Output]) -> None:
    """Let rows that are done leave; the last ones take their slots."""
    for slot in reversed(range(len(going))):
        if going[slot].done:
            last = going.pop()
            if slot < len(going):
                cache.move(len(going), slot)
                going[slot] = last
