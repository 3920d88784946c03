"""Which columns of a delimited file hold text and intent."""

from __future__ import annotations

from dataclasses import dataclass

from skills.errors import InputError

_FIELDS = ("text", "intent")


@dataclass(frozen=True)
class Columns:
    """Columns by header name, or by number from 1; if both are numbers the file needs no header."""

    text: str | int = "text"
    intent: str | int = "intent"

    @classmethod
    def parse(cls, option: str) -> Columns:
        """Read `text=2,intent=1` or `text=utterance,intent=label`.

        Raises:
            InputError: the option is not well-formed.
        """
        chosen: dict[str, str | int] = {}
        for part in option.split(","):
            name, _, column = (piece.strip() for piece in part.partition("="))
            if name not in _FIELDS or not column or name in chosen:
                raise InputError(
                    f"columns {option!r} is not valid: write text=COLUMN,intent=COLUMN, by name or number",
                    field="columns",
                )
            chosen[name] = int(column) if column.isascii() and column.isdigit() else column
        columns = cls(**chosen)
        if 0 in (columns.text, columns.intent):
            raise InputError(f"columns {option!r} is not valid: columns count from 1", field="columns")
        if columns.text == columns.intent:
            raise InputError(
                f"columns {option!r} is not valid: text and intent are the same column", field="columns"
            )
        return columns

    @property
    def numbered(self) -> bool:
        """Whether both are numbers."""
        return isinstance(self.text, int) and isinstance(self.intent, int)
