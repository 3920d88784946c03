"""What a prompt is tuned on: a row of the encoder, and what is right about it."""

from __future__ import annotations

from dataclasses import dataclass

OUTSIDE = -1  # the intent of a row that belongs to none, or whose intent does not matter


@dataclass(frozen=True)
class Example:
    """A row to learn from or to measure on.

    Args:
        place: in the encoder's list of rows.
        intent: the index of its label, or OUTSIDE.
        first: the place of each word's first token.
        tags: each word's tag, in the order of `nlu.bio`; a row without words teaches no slots.
        expected: indices of the slots that the dialog has just asked for, ascending.
        bare: a value and nothing else, which means something only if its slot is expected.
    """

    place: int
    intent: int = OUTSIDE
    first: tuple[int, ...] = ()
    tags: tuple[int, ...] = ()
    expected: tuple[int, ...] = ()
    bare: bool = False
