"""Looking on while a worker runs a job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from skills.job import Job, JobState
from training.cli.failures import ExitCode
from training.cli.output import print_error, print_message
from training.cli.progress import training_progress

if TYPE_CHECKING:
    from storage.catalog import Catalog

POLL_SECONDS = 0.5


def watch_job(catalog: Catalog, job_id: int, *, quiet: bool) -> Job:
    """Show how far a job is until it ends, and return it then.

    Raises:
        UnknownJobError: there is no such job.
    """
    shown = None
    with training_progress(quiet=quiet) as on_progress:
        while True:
            job = catalog.jobs.get(job_id)
            if job.state.is_final:
                return job
            if not quiet and (job.state, job.attempts) != shown:
                shown = job.state, job.attempts
                print_message(_news(job))
            if job.state is JobState.RUNNING and job.progress.steps:
                on_progress(job.progress)
            time.sleep(POLL_SECONDS)


def end_as(job: Job, *, quiet: bool) -> None:
    """Say how a job ended; unless it is well, so does the exit code of this program."""
    if job.state is not JobState.SUCCEEDED:
        if not quiet:
            print_error(f"job {job.id} {job.state}: {job.reason}")
        raise click.exceptions.Exit(ExitCode.FAILED)
    if not quiet:
        click.echo(f"job {job.id} published {job.request.skill}@{job.version}")
        if job.reason:
            print_message(f"not promoted: {job.reason}")


def _news(job: Job) -> str:
    if job.state is JobState.RUNNING:
        return f"job {job.id} runs on {job.worker}, attempt {job.attempts} of {job.max_attempts}"
    return f"job {job.id} waits for a worker" + (f": {job.reason}" if job.reason else "")
