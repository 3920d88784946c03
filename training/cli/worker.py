"""`softspoken worker`: runs the training jobs of a catalog."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from training.cli.catalogs import open_catalog
from training.cli.log import set_up_log
from training.cli.options import backbone_options, catalog_option, log_options, setting


@click.command()
@setting("--concurrency", type=click.IntRange(min=1), default=1, metavar="N", help="Trainings at a time.")
@setting(
    "--nice",
    type=click.IntRange(0, 19),
    default=10,
    metavar="N",
    help="How far trainings give way to servers.",
)
@setting("--once", is_flag=True, help="Run one job, if one is due, and end.")
@setting("--drain", is_flag=True, help="Run jobs until none is due, and end.")
@setting("--poll", type=click.FloatRange(min=0.1), default=2.0, metavar="S", help="Between looks for a job.")
@setting(
    "--lease",
    type=click.FloatRange(min=1.0, max=3600.0),
    default=60.0,
    metavar="S",
    help="Without a sign of life for so long, and another worker takes a job over.",
)
@log_options
@catalog_option
@backbone_options
def worker(once: bool, drain: bool, poll: float, **options: Any) -> None:
    """Train what softspoken jobs submit has queued, until SIGTERM or Ctrl-C.

    Each job runs in a process of its own, with --threads (0: its share of the free cores). A worker that is
    told to stop gives its jobs back, and the next one goes on from where they were.
    """
    from nlu.stop_signal import StopSignal
    from training.job_process import JobSettings
    from training.resources import Resources
    from training.worker import Worker

    log = partial(set_up_log, options["log_level"], options["log_format"])
    log()
    settings = JobSettings(
        catalog=options["catalog"],
        resources=Resources(options["backbone"], options["cache_dir"], options["threads"]),
        concurrency=options["concurrency"],
        nice=options["nice"],
        lease_seconds=options["lease"],
        set_up_log=log,
    )
    stop = StopSignal()
    with open_catalog(options["catalog"], create=True) as catalog:
        runner = Worker(catalog, settings, poll_seconds=poll)
        runner.run(stop, drain=drain or once, most=1 if once else None)
