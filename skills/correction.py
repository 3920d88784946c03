"""A sentence and what it should have been, and where it was read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorrectedSentence:
    """One row of a data file: a sentence as written, and every way in which someone corrected it.

    A sentence that is right has itself as its only correction.
    """

    text: str
    corrections: tuple[str, ...]
    file: str = ""
    row: int = 0  # 1-based line in the file

    @property
    def is_right(self) -> bool:
        """Whether somebody left it as it is."""
        return self.text in self.corrections

    @property
    def place(self) -> str:
        """Where to find the row, for messages."""
        return f"{self.file}:{self.row}" if self.row else self.file
