"""`softspoken db`: the catalog as a database."""

from __future__ import annotations

from datetime import timedelta

import click

from skills.skill import GRACE
from training.cli.catalogs import open_catalog
from training.cli.options import catalog_option, json_option, setting
from training.cli.output import print_json


@click.group()
def db() -> None:
    """Look after the catalog: its schema, and what was deleted."""


@db.command()
@json_option
@catalog_option
def upgrade(catalog: str, json: bool) -> None:
    """Bring the catalog to the newest schema, all or nothing; makes it where there is none."""
    from storage import schema

    _report(schema.upgrade(catalog).current, json=json, text="the catalog has schema {}")


@db.command()
@json_option
@catalog_option
def status(catalog: str, json: bool) -> None:
    """Say which schema the catalog has, and which one this program needs."""
    from storage import schema

    found = schema.status(catalog)
    if json:
        print_json({"current": found.current, "needed": found.head, "is_current": found.is_current})
    elif found.is_current:
        click.echo(f"up to date: schema {found.current}")
    else:
        click.echo(f"schema {found.current or 'none'}, needed is {found.head}: run softspoken db upgrade")


@db.command()
@setting("--days", type=click.IntRange(0), default=GRACE.days, show_default=True, help="Since the deletion.")
@catalog_option
def purge(catalog: str, days: int) -> None:
    """Drop for good the versions of skills that were deleted long enough ago."""
    with open_catalog(catalog) as opened:
        count = opened.purge(timedelta(days=days))
    click.echo(f"{count} versions were dropped for good")


def _report(revision: str | None, *, json: bool, text: str) -> None:
    if json:
        print_json({"current": revision})
    else:
        click.echo(text.format(revision))
