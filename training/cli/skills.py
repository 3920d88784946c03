"""`softspoken skills`: what the catalog holds, and which version is served."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from skills.skill import LIVE, SkillRef
from training.cli.catalogs import load_version, open_catalog
from training.cli.lazy import LazyCommands
from training.cli.options import FOLDER, backbone_options, catalog_option, json_option, setting
from training.cli.output import print_json, print_message, print_table
from training.cli.versions import (
    details_table,
    skills_document,
    skills_table,
    version_document,
    versions_table,
)

_ALIAS = setting("--alias", default=LIVE, help="The name that is moved.")
_COMMANDS = {
    "compare": "training.cli.compare:compare",
    "correct": "training.cli.trials:correct",
    "corrections": "training.cli.trials:corrections",
    "explain": "training.cli.explain:explain",
    "export": "training.cli.skill_files:export_skill",
    "history": "training.cli.history:history",
    "import": "training.cli.skill_files:import_skill",
    "promote": "training.cli.promote:promote",
    "relabel": "training.cli.relabel:relabel",
    "restore": "training.cli.history:restore",
    "traffic": "training.cli.trials:traffic",
}


@click.group(commands=LazyCommands(_COMMANDS))
def skills() -> None:
    """List, compare, promote, roll back, move and delete skills."""


@skills.command("list")
@json_option
@catalog_option
def list_skills(catalog: str, json: bool) -> None:
    """List all skills, each by its live version or, if none is live, its newest."""
    with open_catalog(catalog) as opened:
        if json:
            print_json(skills_document(opened.versions()))
            return
        summaries = opened.overview()
    if summaries:
        print_table(skills_table(summaries))
    else:
        print_message("the catalog holds no skills: train one with softspoken train")


@skills.command()
@click.argument("skill", metavar="NAME[@VERSION|@ALIAS]")
@json_option
@catalog_option
def show(skill: str, catalog: str, json: bool) -> None:
    """Show one version in full, and the other versions of its skill."""
    ref = SkillRef.parse(skill)
    with open_catalog(catalog) as opened:
        version = opened.get(ref)
        others = opened.versions(ref.name)
    if json:
        print_json(version_document(version))
        return
    print_table(details_table(version))
    print_table(versions_table(others))


@skills.command()
@click.argument("name")
@_ALIAS
@json_option
@catalog_option
def rollback(name: str, catalog: str, alias: str, json: bool) -> None:
    """Let an alias name the version that it named before."""
    with open_catalog(catalog) as opened:
        version = opened.rollback(name, alias)
    if json:
        print_json(version_document(version))
    else:
        click.echo(f"{version} is {alias} again")


@skills.command()
@click.argument("name")
@setting("--yes", is_flag=True, help="Do not ask.")
@catalog_option
def delete(name: str, catalog: str, yes: bool) -> None:
    """Take a skill, with all its versions, out of service."""
    with open_catalog(catalog) as opened:
        count = len(opened.versions(name))
        if count and not yes and not _confirmed(name, count):
            print_message(f"{name!r} was not deleted")
            return
        opened.delete(name)
    click.echo(f"{name} was deleted")


@skills.command("export-peft")
@click.argument("skill", metavar="NAME[@VERSION|@ALIAS]")
@click.argument("directory", type=FOLDER)
@catalog_option
@backbone_options
def export_peft(skill: str, directory: Path, **options: Any) -> None:
    """Write a soft prompt to DIRECTORY as a PEFT checkpoint; the way back is train --from-peft."""
    from training.peft import export_peft as export

    ref = SkillRef.parse(skill)
    loaded, backbone = load_version(ref, options)
    export(loaded, backbone, directory)
    click.echo(f"{loaded.version} was written to {directory}")


def _confirmed(name: str, versions: int) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "there is no terminal to ask on: confirm with --yes", click.get_current_context()
        )
    return click.confirm(f"Delete {name!r} with its {versions} versions?", err=True)
