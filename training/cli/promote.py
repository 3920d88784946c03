"""`softspoken skills promote`: an alias moves to a version, if that passes its gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from skills.errors import GateError, InputError
from skills.gates import Gates, failures
from skills.skill import LIVE, SkillRef, SkillVersion
from training.cli.catalogs import load_versions, open_catalog
from training.cli.measuring import make_examiner, read_rows
from training.cli.options import (
    FILE_OR_FOLDER,
    backbone_options,
    catalog_option,
    engine_options,
    json_option,
    setting,
    tolerance_option,
)
from training.cli.output import print_json, print_warning
from training.cli.versions import version_document

if TYPE_CHECKING:
    from storage.catalog import Catalog


@click.command()
@click.argument("skill", metavar="NAME@VERSION")
@setting("--alias", default=LIVE, help="The name that is moved.")
@setting("--min", multiple=True, metavar="METRIC=VALUE", help="What the version must reach. Repeatable.")
@setting(
    "--data", type=FILE_OR_FOLDER, multiple=True, help="Labeled rows to measure on, not the stored metrics."
)
@setting("--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number.")
@setting("--skip-bad-rows", is_flag=True, help="Leave bad rows out and say which.")
@setting(
    "--no-regression", is_flag=True, help="On --data it must be as good as the version that the alias names."
)
@tolerance_option
@setting("--force", is_flag=True, help="Promote it even if it does not pass.")
@json_option
@catalog_option
@backbone_options
@engine_options
def promote(skill: str, **options: Any) -> None:
    """Let an alias name a version; the version of "live" is what servers answer with.

    With --min or --no-regression only if it is good enough; otherwise nothing changes.
    """
    ref = SkillRef.parse(skill)
    if "@" not in skill:
        raise click.UsageError(f"name the version to promote, such as {skill}@1", click.get_current_context())
    gates = _gates(options)
    with open_catalog(options["catalog"]) as catalog:
        candidate = catalog.get(ref)
        reasons = _reasons(catalog, candidate, gates, options)
        if reasons and not options["force"]:
            raise GateError(
                f"{candidate} was not promoted: {'; '.join(reasons)}; --force promotes it all the same"
            )
        version = catalog.promote(SkillRef(candidate.name, candidate.version), options["alias"])
    for reason in reasons:
        print_warning(f"promoted by force: {reason}")
    if options["json"]:
        print_json({**version_document(version), "forced": list(reasons)})
    else:
        click.echo(f"{version} is {options['alias']}")


def _gates(options: dict[str, Any]) -> Gates:
    if options["no_regression"] and not options["data"]:
        raise InputError("--no-regression compares on the same rows: name them with --data", field="data")
    if options["data"] and not (options["min"] or options["no_regression"]):
        raise InputError("--data alone is no gate: add --min METRIC=VALUE or --no-regression", field="data")
    return Gates(dict(map(read_minimum, options["min"])), options["no_regression"], options["tolerance"])


def read_minimum(pair: str) -> tuple[str, float]:
    """Read `METRIC=VALUE`.

    Raises:
        InputError: it is not that.
    """
    metric, _, value = pair.partition("=")
    try:
        return metric.strip(), float(value)
    except ValueError:
        raise InputError(f"--min {pair!r} is not METRIC=VALUE: write accuracy=0.9", field="min") from None


def _reasons(
    catalog: Catalog, candidate: SkillVersion, gates: Gates, options: dict[str, Any]
) -> tuple[str, ...]:
    """Return why the version does not pass; without --data, as its stored metrics have it."""
    if not options["data"]:
        return failures(gates, candidate.metrics, None, candidate.kind)
    others = [each for each in catalog.versions(candidate.name) if each.version != candidate.version]
    live = next((each for each in others if options["alias"] in each.aliases), None)
    return _measured(candidate, live if gates.no_regression else None, gates, options)


def _measured(
    candidate: SkillVersion, live: SkillVersion | None, gates: Gates, options: dict[str, Any]
) -> tuple[str, ...]:
    """Return why the version does not pass on --data.

    The minimum holds on all rows. The version in place is compared on the rows whose labels both know.
    """
    from training.compared_versions import compare_versions
    from training.examiner import flat_metrics

    versions = [candidate] if live is None else [candidate, live]
    (skill, *in_place), backbone = load_versions(
        [SkillRef(each.name, each.version) for each in versions], options
    )
    rows, examiner = read_rows(candidate.kind, options), make_examiner(backbone, options)
    if not in_place:
        return failures(gates, flat_metrics(examiner.evaluate(skill, rows)), None, candidate.kind)
    compared = compare_versions(in_place[0], skill, rows, examiner)
    metrics = compared.second_metrics
    if compared.left_out:
        print_warning(f"{compared.left_out:,} rows have labels that {live} does not know: not compared")
        metrics = flat_metrics(examiner.evaluate(skill, rows))
    return (
        *failures(Gates(gates.minimum), metrics, None, candidate.kind),
        *failures(
            Gates({}, True, gates.tolerance), compared.second_metrics, compared.first_metrics, candidate.kind
        ),
    )
