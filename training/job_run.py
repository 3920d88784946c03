"""One leased job, from its rows to a published version: in a worker, or in place by `softspoken train`."""

from __future__ import annotations

import errno
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nlu.loaded import load_skill
from skills.errors import CatalogError, InputError, LeaseLostError, SkillRefusedError, SoftspokenError
from skills.job import JobProgress, Lease
from skills.skill import SkillRef, SkillVersion
from skills.training_data import TrainingData
from storage.catalog import Catalog
from storage.jobs import LEASE_SECONDS
from training.checkpoint import Checkpoint
from training.config import CONFIGS
from training.heartbeat import Heartbeat
from training.job_gate import JobGate
from training.recipes import prepare
from training.resources import Resources

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from nlu.loaded import LoadedSkill
    from training.loop import Progress
    from training.trained import Trained

PATIENCE = 60.0  # seconds in which a catalog that is away may come back, before a result is given up
PAUSE = 2.0  # seconds between two tries

logger = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class JobResult:
    """What a job published, and why its alias does not name it; empty if it does."""

    version: SkillVersion
    trained: Trained[Any]
    reason: str


def run_job(
    catalog: Catalog,
    lease: Lease,
    resources: Resources,
    *,
    lease_seconds: float = LEASE_SECONDS,
    on_progress: Callable[[JobProgress], None] = lambda progress: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> JobResult:
    """Train what a job asks for and publish it, which ends the job.

    Args:
        catalog: that has the job.
        lease: the right to the job; heartbeats keep it.
        resources: what the training runs on.
        lease_seconds: without a heartbeat, and another worker takes the job over; checkpoints are half as
            far apart.
        on_progress: called after every step.
        is_stopping: whether the training is to end after this step, with a checkpoint.

    Raises:
        KeyboardInterrupt: the training was stopped; the lease is still held.
        LeaseLostError: the job was cancelled, or another worker has it: nothing was published.
        Exception: the training failed; the job does not know it yet, see `tell_failure`.
    """
    with Heartbeat(catalog.jobs, lease, lease_seconds) as heartbeat:

        def save(data: bytes) -> None:
            _save_checkpoint(catalog, lease, data)
            if is_stopping():
                raise KeyboardInterrupt

        last = catalog.jobs.checkpoint(lease)
        checkpoint = Checkpoint(last, save, seconds=lease_seconds / 2)

        def on_step(run: str, progress: Progress) -> None:
            noted = JobProgress(run, **vars(progress))
            heartbeat.report(noted)
            on_progress(noted)
            if is_stopping():
                checkpoint.hurry()

        training = _JobTraining(catalog, lease, resources)
        trained, gate, reasons = training.run(on_step, checkpoint)
        heartbeat.beat()
        reason = "; ".join(reasons)
        version = _published(catalog, lease, trained, gate.alias(reasons), reason)
    return JobResult(version, trained, reason)


def tell_failure(catalog: Catalog, lease: Lease, error: Exception) -> None:
    """Let a job fail: for good if what was submitted is wrong, until another attempt otherwise.

    Raises:
        LeaseLostError: another worker has the job, or it has ended.
        CatalogError: the catalog cannot be reached.
    """
    for_good = isinstance(error, (InputError, SkillRefusedError))
    catalog.jobs.fail(lease, reason_of(error), retry=not for_good)


def reason_of(error: Exception) -> str:
    """Return in one line why a training failed."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "can't allocate memory" in text:  # what torch raises has no class
        return "out of memory: give the worker more, or lower its --concurrency or the job's batch_rows"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the worker's disk is full ({text}): free some space"
    if isinstance(error, SoftspokenError):
        return text
    return f"{type(error).__name__}: {text}; the worker's log has more"


def patiently(call: Callable[[], ResultT], seconds: float = PATIENCE) -> ResultT:
    """Return what a call returns, made again while the catalog is away.

    Raises:
        CatalogError: it was away for so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except CatalogError as error:
            if time.monotonic() > deadline:
                raise
            logger.warning("trying again: %s", error)
        time.sleep(PAUSE)


@dataclass(frozen=True)
class _JobTraining:
    """The training of a job, on the rows and with the settings of its request."""

    catalog: Catalog
    lease: Lease
    resources: Resources

    def run(
        self, on_step: Callable[[str, Progress], None], checkpoint: Checkpoint
    ) -> tuple[Trained[Any], JobGate, tuple[str, ...]]:
        """Return what was trained, the gate, and why it does not let it through."""
        request = self.lease.job.request
        data = TrainingData.from_bytes(self.catalog.jobs.data(self.lease.job))
        if data.kind is not request.kind:
            raise InputError(
                f"the rows are of kind {data.kind}, the skill is to be of kind {request.kind}", field="kind"
            )
        gate = JobGate(self.catalog, request, data.dev)
        config = CONFIGS[request.kind].make(**request.config)
        prepared = prepare(request.skill, data, config, peft=Path(request.peft) if request.peft else None)
        compute = self.resources.compute(prepared.precision)
        backbone = self.resources.load_backbone()
        parent = self._parent(backbone)
        trained = prepared.train(backbone, compute, on_step, checkpoint, grown_from=parent)
        return trained, gate, gate.failures(trained.draft, backbone, compute)

    def _parent(self, backbone: Backbone) -> LoadedSkill | None:
        """Return the version that the skill grows from, if it grows."""
        grown_from = self.lease.job.request.grown_from
        if not grown_from:
            return None
        version = self.catalog.get(SkillRef.parse(grown_from))
        return load_skill(version, self.catalog.tensors(version), backbone)


def _save_checkpoint(catalog: Catalog, lease: Lease, data: bytes) -> None:
    try:
        catalog.jobs.save_checkpoint(lease, data)
    except CatalogError as error:  # the training goes on, and so does the next checkpoint
        logger.warning("no checkpoint of job %d: %s", lease.job.id, error)


def _published(
    catalog: Catalog, lease: Lease, trained: Trained[Any], alias: str | None, reason: str
) -> SkillVersion:
    def publish() -> SkillVersion:
        with _uninterrupted():
            return catalog.publish(trained.draft, alias=alias, lease=lease, reason=reason)

    try:
        return patiently(publish)
    except LeaseLostError:
        job = catalog.jobs.get(lease.job.id)
        if job.version is not None and job.worker == lease.job.worker:
            # It was published, and the connection broke before that was known.
            return catalog.get(SkillRef(job.request.skill, job.version))
        raise


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C for the milliseconds of a commit: whoever is told "nothing was stored" can rely on it."""
    if threading.current_thread() is not threading.main_thread():  # Ctrl-C interrupts the main thread only
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
