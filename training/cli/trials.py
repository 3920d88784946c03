"""`softspoken skills traffic`, `correct`, `corrections`: candidates on trial, intents put right at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from skills.errors import InputError
from skills.skill import SkillKind, SkillRef
from training.cli.catalogs import open_catalog
from training.cli.options import catalog_option, json_option, setting
from training.cli.output import Table, cell, print_json, print_message, print_table, print_warning

if TYPE_CHECKING:
    from skills.exemplar import Exemplar
    from storage.catalog import Catalog

_SHARE = click.FloatRange(0.0, 1.0)
_INTENTS = (SkillKind.INTENT, SkillKind.JOINT)


@click.command()
@click.argument("name")
@setting("--canary", type=_SHARE, metavar="SHARE", help="Of the sessions that the candidate answers.")
@setting("--shadow", type=_SHARE, metavar="SHARE", help="Of the other requests that it reads, unseen.")
@setting("--off", is_flag=True, help="End the trial: the live version answers everything.")
@json_option
@catalog_option
def traffic(
    name: str, canary: float | None, shadow: float | None, off: bool, catalog: str, json: bool
) -> None:
    """Let the version with the alias "candidate" have a share of the skill NAME's traffic; or show it.

    A session always gets the same version. Servers log a line a minute: requests, times, agreement.
    """
    from skills.traffic import Traffic

    if off and (canary is not None or shadow is not None):
        raise click.UsageError("--off ends the trial: leave --canary and --shadow out")
    with open_catalog(catalog) as opened:
        if off or canary is not None or shadow is not None:
            opened.trials.set(name, Traffic(canary or 0.0, shadow or 0.0))
        found = opened.trials.all().get(name, Traffic())
    if json:
        print_json({"skill": name, **asdict(found)})
    elif found.is_on:
        click.echo(f"{name}@candidate: canary {found.canary:g}, shadow {found.shadow:g}")
    else:
        click.echo(f"{name} is not on trial")


@click.command()
@click.argument("name")
@click.argument("text")
@setting("--intent", required=True, help="What the text means.")
@catalog_option
def correct(name: str, text: str, intent: str, catalog: str) -> None:
    """Let TEXT, and what is very much like it, have an intent from now on, without a training.

    All versions of the skill NAME that have the intent know it within 2 s.
    """
    with open_catalog(catalog) as opened:
        _check_intent(opened, name, intent)
        opened.exemplars.add(name, text, intent)
    click.echo(f"{name} answers it with {intent}")


@click.command()
@click.argument("name")
@setting("--forget", metavar="TEXT", help="Take one correction back.")
@setting("--forget-all", is_flag=True, help="Take all back, such as after a training with them.")
@json_option
@catalog_option
def corrections(name: str, forget: str | None, forget_all: bool, catalog: str, json: bool) -> None:
    """List the corrections of the skill NAME that count before its next training, or take them back."""
    if forget is not None and forget_all:
        raise click.UsageError("--forget takes one back and --forget-all all: give one of them")
    with open_catalog(catalog) as opened:
        if forget is not None or forget_all:
            count = opened.exemplars.remove(name, forget)
            click.echo(f"{count} forgotten")
            return
        opened.get(SkillRef(name))
        found = opened.exemplars.all().get(name, ())
    if json:
        print_json([{**asdict(each), "at": each.at.isoformat()} for each in found])
    elif found:
        print_table(_table(found))
    else:
        print_message(f"{name} has no corrections")


def _check_intent(catalog: Catalog, name: str, intent: str) -> None:
    """Check that a version of the skill has the intent; the live one may be older."""
    versions = catalog.versions(name) or [catalog.get(SkillRef(name))]
    knowing = [each for each in versions if each.kind in _INTENTS and intent in each.labels]
    if not knowing:
        raise InputError(
            f"no version of {name!r} has an intent {intent!r}; the newest has "
            f"{', '.join(versions[0].labels[:10])}{', …' if len(versions[0].labels) > 10 else ''}",
            field="intent",
        )
    if not any(version.aliases for version in knowing):
        print_warning(f"{intent} is an intent of {knowing[0]}, which no alias names: it is not answered yet")


def _table(found: tuple[Exemplar, ...]) -> Table:
    rows = [
        (cell(each.text), cell(each.intent), cell(f"{each.at:%Y-%m-%d %H:%M}"), cell(each.by))
        for each in found
    ]
    return Table(("text", "intent", "since", "by"), rows)
