"""`softspoken skills export` and `import`: one version as a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from skills.errors import InputError
from skills.skill import LIVE, SkillDraft, SkillRef, check_name
from training.cli.catalogs import open_catalog
from training.cli.options import FILE, backbone_options, catalog_option, json_option, setting
from training.cli.output import print_json
from training.cli.versions import version_document


@click.command("export")
@click.argument("skill", metavar="NAME[@VERSION|@ALIAS]")
@click.argument("file", metavar="FILE.skill", type=FILE)
@setting("--force", is_flag=True, help="Replace the file that is there.")
@catalog_option
def export_skill(skill: str, file: Path, catalog: str, force: bool) -> None:
    """Write one version to a file, to take it to another catalog."""
    from storage.skill_file import write_skill_file

    ref = SkillRef.parse(skill)
    if file.exists() and not force:
        raise InputError(f"{file} is there already: name another file, or give --force", field="file")
    with open_catalog(catalog) as opened:
        version = opened.get(ref)
        write_skill_file(file, version, opened.tensors(version))
    click.echo(f"{version} was written to {file}")


@click.command("import")
@click.argument("file", metavar="FILE.skill", type=FILE)
@setting("--name", help="Of the skill that gets the version.  [default: as it was exported]")
@setting("--promote/--no-promote", default=False, help="Serve the version as soon as it is stored.")
@json_option
@catalog_option
@backbone_options
def import_skill(file: Path, **options: Any) -> None:
    """Store a file's version as its skill's next one, if this backbone can serve it."""
    from nlu.backbone import Backbone
    from nlu.loaded import load_skill
    from storage.skill_file import read_skill_file

    name = options["name"] and check_name(options["name"])
    exported, tensors = read_skill_file(file)
    backbone = Backbone.load(options["backbone"], cache=options["cache_dir"])
    load_skill(exported, tensors, backbone)
    draft = replace(SkillDraft.of(exported, tensors), name=name or exported.name)
    with open_catalog(options["catalog"], create=True) as catalog:
        version = catalog.publish(draft, alias=LIVE if options["promote"] else None)
    if options["json"]:
        print_json(version_document(version))
    else:
        served = LIVE if options["promote"] else f"not live; softspoken skills promote {version}"
        click.echo(f"{exported} was imported from {file} as {version} ({served})")
