"""`softspoken skills restore` and `history`: what was done to skills, and undoing a deletion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from training.cli.catalogs import open_catalog
from training.cli.options import catalog_option, json_option, setting
from training.cli.output import Table, cell, print_json, print_message, print_table
from training.cli.versions import skills_document

if TYPE_CHECKING:
    from storage.audit import AuditEntry


@click.command()
@click.argument("name")
@json_option
@catalog_option
def restore(name: str, catalog: str, json: bool) -> None:
    """Bring a deleted skill back, with the aliases that it had."""
    with open_catalog(catalog) as opened:
        versions = opened.restore(name)
    if json:
        print_json(skills_document(versions))
        return
    served = ", ".join(f"{version} is {alias}" for version in versions for alias in version.aliases)
    click.echo(f"{name} was restored, {len(versions)} versions; {served or 'no alias names one'}")


@click.command()
@click.argument("name", required=False)
@setting("--limit", type=click.IntRange(1, 10_000), default=50, help="Newest entries shown.")
@json_option
@catalog_option
def history(name: str | None, catalog: str, limit: int, json: bool) -> None:
    """Show who did what, when, and from which version to which; of one skill or of all."""
    with open_catalog(catalog) as opened:
        entries = opened.audit(name, limit=limit)
    if json:
        print_json([{**asdict(entry), "at": entry.at.isoformat()} for entry in entries])
    elif entries:
        print_table(_table(entries))
    else:
        print_message(f"nothing was ever done to {name!r}" if name else "nothing was done yet")


def _table(entries: Sequence[AuditEntry]) -> Table:
    rows = [
        (
            cell(f"{entry.at:%Y-%m-%d %H:%M:%S}"),
            cell(entry.by or "-"),
            cell(entry.action, "bold"),
            cell(entry.skill or "-"),
            cell(entry.alias or "-"),
            cell("-" if entry.from_version is None else entry.from_version),
            cell("-" if entry.to_version is None else entry.to_version),
            cell(entry.detail or "-"),
        )
        for entry in entries
    ]
    return Table(("when (UTC)", "who", "what", "skill", "alias", "from", "to", "detail"), rows)
