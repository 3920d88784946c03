"""`softspoken jobs`: trainings that workers run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from skills.job import Job, JobState
from training.cli.catalogs import open_catalog
from training.cli.job_tables import job_document, job_table, jobs_table
from training.cli.options import catalog_option, json_option, setting
from training.cli.output import print_json, print_message, print_table
from training.cli.submit import submit
from training.cli.watching import end_as, watch_job

_JOB = click.argument("job_id", metavar="JOB", type=int)


@click.group()
def jobs() -> None:
    """Submit, look at, cancel and retry trainings that workers run."""


jobs.add_command(submit)


@jobs.command("list")
@setting(
    "--state",
    type=click.Choice([str(state) for state in JobState]),
    multiple=True,
    help="Only jobs in this state. Repeatable.",
)
@setting("--skill", metavar="NAME", help="Only jobs of this skill.")
@setting("--limit", type=click.IntRange(min=1), default=100, help="At most so many.")
@json_option
@catalog_option
def list_jobs(catalog: str, json: bool, state: Sequence[str], skill: str | None, limit: int) -> None:
    """List jobs, newest first."""
    with open_catalog(catalog) as opened:
        found = opened.jobs.list(skill=skill, states=[JobState(each) for each in state], limit=limit)
    if json:
        print_json([job_document(job) for job in found])
    elif found:
        print_table(jobs_table(found))
    else:
        print_message("there are no such jobs: submit one with softspoken jobs submit")


@jobs.command()
@_JOB
@json_option
@catalog_option
def show(job_id: int, catalog: str, json: bool) -> None:
    """Show one job in full."""
    with open_catalog(catalog) as opened:
        job = opened.jobs.get(job_id)
    if json:
        print_json(job_document(job))
    else:
        print_table(job_table(job))


@jobs.command()
@_JOB
@json_option
@catalog_option
def watch(job_id: int, catalog: str, json: bool) -> None:
    """Show how far a job is until it ends; the exit code is 0 if it published a version, else 1.

    Ctrl-C ends the watching; the job goes on.
    """
    with open_catalog(catalog) as opened:
        job = watch_job(opened, job_id, quiet=json)
    if json:
        print_json(job_document(job))
    end_as(job, quiet=json)


@jobs.command()
@_JOB
@json_option
@catalog_option
def cancel(job_id: int, **options: Any) -> None:
    """Cancel a job; one that runs ends within seconds."""
    with open_catalog(options["catalog"]) as catalog:
        job = catalog.jobs.cancel(job_id)
    _print(job, options, "is cancelled" if job.state.is_final else "ends at its worker's next sign of life")


@jobs.command()
@_JOB
@json_option
@catalog_option
def retry(job_id: int, **options: Any) -> None:
    """Queue a job again that failed or was cancelled; it goes on from its last checkpoint."""
    with open_catalog(options["catalog"]) as catalog:
        job = catalog.jobs.retry(job_id)
    _print(job, options, "is queued")


def _print(job: Job, options: dict[str, Any], outcome: str) -> None:
    if options["json"]:
        print_json(job_document(job))
    else:
        click.echo(f"job {job.id} {outcome}")
