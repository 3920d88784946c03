"""`softspoken db`: the catalog's schema."""

from __future__ import annotations

import click

from training.cli.options import catalog_option, json_option
from training.cli.output import print_json


@click.group()
def db() -> None:
    """Look at and upgrade the catalog's schema."""


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


def _report(revision: str | None, *, json: bool, text: str) -> None:
    if json:
        print_json({"current": revision})
    else:
        click.echo(text.format(revision))
