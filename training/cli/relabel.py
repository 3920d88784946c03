"""`softspoken skills relabel`: intents renamed and removed without training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from skills.errors import InputError
from skills.skill import LIVE, SkillRef
from training.cli.catalogs import open_catalog
from training.cli.options import catalog_option, json_option, setting
from training.cli.output import print_json
from training.cli.versions import version_document


@click.command()
@click.argument("name")
@setting("--from", default=LIVE, metavar="VERSION|ALIAS", help="The version to start from.")
@setting("--rename", multiple=True, metavar="OLD=NEW", help="Call an intent something else. Repeatable.")
@setting("--remove", multiple=True, metavar="LABEL", help="Answer an intent no more. Repeatable.")
@setting("--promote/--no-promote", default=True, help="Serve the version as soon as it is stored.")
@json_option
@catalog_option
def relabel(name: str, **options: Any) -> None:
    """Rename and remove intents of the skill NAME; makes its next version in a second, without training."""
    from training.relabel import Relabeling
    from training.relabel import relabel as relabeled

    relabeling = Relabeling(_renamed(options["rename"]), frozenset(options["remove"]))
    with open_catalog(options["catalog"]) as catalog:
        start = catalog.get(SkillRef.parse(f"{name}@{options['from']}"))
        draft = relabeled(start, catalog.tensors(start), relabeling)
        version = catalog.publish(draft, alias=LIVE if options["promote"] else None)
    if options["json"]:
        print_json(version_document(version))
    else:
        served = LIVE if options["promote"] else f"not live; softspoken skills promote {version}"
        click.echo(f"{version} was made from {start} with {len(version.labels)} labels ({served})")


def _renamed(pairs: Sequence[str]) -> dict[str, str]:
    """Read `OLD=NEW` of every --rename."""
    renamed: dict[str, str] = {}
    for pair in pairs:
        old, _, new = pair.partition("=")
        if not old or not new:
            raise InputError(f"--rename {pair!r} is not OLD=NEW", field="rename")
        if old in renamed:
            raise InputError(f"label {old!r} is renamed twice: choose one name", field="rename")
        renamed[old] = new
    return renamed
