"""What a command writes: tables and colours on a terminal, plain text in a pipe, or one JSON document."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.text import Text

# Texts come from anywhere; what moves the cursor or changes colours must not reach a terminal.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Table:
    """Cells by row; a cell's style shows on a terminal only."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Text]]
    title: str = ""


def cell(value: object, style: str = "") -> Text:
    """Return a value as a table's cell, control characters made visible."""
    return Text(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", str(value)), style=style)


def percent(share: float | None) -> str:
    """Return a share as per cent; a dash for one that was not measured."""
    return "-" if share is None else f"{100 * share:.1f} %"


def on_terminal() -> bool:
    """Whether standard output is looked at by a person."""
    return sys.stdout.isatty()


def print_table(table: Table) -> None:
    """Write a table to standard output; in a pipe, columns are two spaces apart and nothing is cut off."""
    if not on_terminal():
        click.echo("".join(f"{line}\n" for line in _plain_lines(table)), nl=False)
        return
    from rich import box  # only here: a fifth of the time that a command in a pipe takes to start
    from rich.console import Console
    from rich.table import Table as RichTable

    drawn = RichTable(title=cell(table.title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        drawn.add_column(cell(column), overflow="fold")
    for row in table.rows:
        drawn.add_row(*row)
    Console(highlight=False).print(drawn)


def print_json(document: object) -> None:
    """Write one JSON document to standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def print_message(text: str, *, label: str = "", style: str = "") -> None:
    """Write one line to standard error, such as `warning: …`; the label is coloured on a terminal."""
    one_line = cell(" ".join(text.split()))
    line = Text.assemble((f"{label}: " if label else "", style), one_line)
    if sys.stderr.isatty():
        from rich.console import Console

        Console(stderr=True, highlight=False, soft_wrap=True).print(line)
    else:
        click.echo(line.plain, err=True)


def print_warning(text: str) -> None:
    """Write a warning to standard error."""
    print_message(text, label="warning", style="yellow")


def print_error(text: str) -> None:
    """Write an error to standard error."""
    print_message(text, label="error", style="bold red")


def _plain_lines(table: Table) -> list[str]:
    lines = ["", table.title] if table.title else []
    cells = [list(table.columns), *([each.plain for each in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        lines.append("  ".join(padded).rstrip())
    return lines
