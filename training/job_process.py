"""The process that runs one job: what a poisoned job brings down is this one, and not the worker."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

from skills.errors import LeaseLostError, SoftspokenError
from skills.job import Lease
from storage.catalog import Catalog
from storage.jobs import LEASE_SECONDS
from training.resources import Resources

OOM_SCORE = "500"  # of 1000: where memory runs out, a training is ended before a server

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobSettings:
    """How a worker runs its jobs.

    Args:
        catalog: URL.
        resources: what each training runs on; 0 threads are its share of the free cores.
        concurrency: how many jobs share this machine.
        nice: added to the trainings' niceness, so that they only take what servers leave.
        lease_seconds: without a sign of life, and another worker takes a job over.
        set_up_log: called first.
    """

    catalog: str
    resources: Resources
    concurrency: int
    nice: int
    lease_seconds: float = LEASE_SECONDS
    set_up_log: Callable[[], None] = logging.basicConfig


def run_in_process(settings: JobSettings, lease: Lease) -> None:
    """Run a job; returns once the catalog knows how it ended, or that it is free for another worker.

    SIGTERM ends it after the next step, with a checkpoint. It also ends with the worker.

    Raises:
        CatalogError: the catalog was away for too long to be told.
    """
    stopping = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the worker too, which sends SIGTERM
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threading.Thread(target=_end_with_worker, daemon=True).start()
    _give_way(settings.nice)
    settings.set_up_log()
    catalog = Catalog.open(settings.catalog, by=lease.job.submitted_by or lease.job.worker)
    try:
        _run(catalog, settings, lease, stopping)
    except LeaseLostError as error:
        logger.warning("%s", error)
    finally:
        catalog.close()


def fair_share(settings: JobSettings) -> Resources:
    """Return the resources with this training's share of the threads."""
    from nlu.compute import available_cpus

    available = available_cpus()
    threads = settings.resources.threads or max(1, available // settings.concurrency)
    return replace(settings.resources, threads=min(threads, available))


def _run(catalog: Catalog, settings: JobSettings, lease: Lease, stopping: threading.Event) -> None:
    from training.job_run import patiently, run_job, tell_failure

    try:
        result = run_job(
            catalog,
            lease,
            fair_share(settings),
            lease_seconds=settings.lease_seconds,
            is_stopping=stopping.is_set,
        )
    except KeyboardInterrupt:
        patiently(partial(catalog.jobs.release, lease))
        logger.info("job %d was given back", lease.job.id)
    except LeaseLostError:
        raise
    except Exception as error:
        expected = isinstance(error, SoftspokenError)
        logger.error("job %d failed: %s", lease.job.id, error, exc_info=not expected)
        patiently(partial(tell_failure, catalog, lease, error))
    else:
        logger.info("job %d published %s%s", lease.job.id, result.version, _unless_promoted(result.reason))


def _unless_promoted(reason: str) -> str:
    return f", not promoted: {reason}" if reason else ""


def _give_way(nice: int) -> None:
    """Take what servers leave; Linux may share out CPUs by session first, and niceness counts within one."""
    os.nice(nice)
    os.setsid()
    for setting, value in {"oom_score_adj": OOM_SCORE, "autogroup": str(nice)}.items():
        with suppress(OSError):  # Linux only; see sched(7), "The autogroup feature"
            Path("/proc/self", setting).write_text(value)


def _end_with_worker() -> None:
    """End this process once its worker is gone, as nobody would see to it any more."""
    worker = parent_process()
    if worker is not None:
        wait([worker.sentinel])
        os._exit(1)
