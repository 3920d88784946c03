"""`softspoken jobs submit`: a training for the workers."""

from __future__ import annotations

from typing import Any

import click

from skills.gates import Gates
from skills.skill import check_name
from training.cli.catalogs import open_catalog
from training.cli.job_tables import job_document
from training.cli.options import catalog_option, json_option, setting, tolerance_option
from training.cli.output import print_json
from training.cli.promote import read_minimum
from training.cli.training_options import read_tuning, training_options
from training.cli.tuning import check_data
from training.cli.watching import end_as, watch_job


@click.command()
@click.argument("name")
@training_options
@setting("--priority", type=int, default=0, metavar="N", help="Higher goes first.")
@setting(
    "--min",
    multiple=True,
    metavar="METRIC=VALUE",
    help="What the version must reach on held-out rows to be promoted. Repeatable.",
)
@setting(
    "--no-regression",
    is_flag=True,
    help="Promote it only if it is as good as the live version, with --dev on the same rows.",
)
@tolerance_option
@setting("--watch", is_flag=True, help="Show how far it is until it ends; the exit code tells how.")
@json_option
@catalog_option
def submit(name: str, **options: Any) -> None:
    """Check the data and queue a training of the skill NAME; softspoken worker runs it."""
    check_name(name)
    minimum = dict(map(read_minimum, options["min"]))
    gates = Gates(minimum, options["no_regression"], options["tolerance"])
    tuning = read_tuning(name, options, gates=gates)
    data = check_data(tuning).data
    with open_catalog(options["catalog"], create=True) as catalog:
        job = catalog.jobs.submit(tuning.request(catalog), data.to_bytes(), priority=options["priority"])
        if not options["json"]:
            click.echo(f"job {job.id} is queued")
        if options["watch"]:
            job = watch_job(catalog, job.id, quiet=options["json"])
    if options["json"]:
        print_json(job_document(job))
    if options["watch"]:
        end_as(job, quiet=options["json"])
