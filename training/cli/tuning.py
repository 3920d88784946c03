"""One training from files to a stored version: what `train` and `demo` do, and `jobs submit` asks for."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from skills.errors import InputError, LeaseLostError
from skills.gates import Gates
from skills.job import JobRequest, Lease
from skills.skill import LIVE, SkillKind, SkillRef, check_name
from training.cli.catalogs import open_catalog
from training.cli.failures import ExitCode
from training.cli.labeled_files import LabeledFiles, skip_warnings, unused_lines
from training.cli.output import print_message, print_warning
from training.cli.progress import training_progress
from training.cli.reports import check_report, write_page
from training.resources import Resources

if TYPE_CHECKING:
    from skills.formats.rasa_unused import Unused
    from skills.skill import SkillVersion
    from skills.training_data import TrainingData
    from skills.utterance import Utterance
    from storage.catalog import Catalog
    from training.advice import Advice
    from training.config import TrainingConfig
    from training.job_run import JobResult
    from training.trained import Trained

LEASE_SECONDS = 600.0  # of a training in place, which nobody waits for: a computer may sleep meanwhile


@dataclass(frozen=True)
class Tuning:
    """What to train, on what, and where it goes; `cache` None is the user's, `threads` 0 all there are."""

    name: str
    files: LabeledFiles
    config: TrainingConfig  # of the kind
    catalog: str
    kind: SkillKind = SkillKind.INTENT
    dev: tuple[Path, ...] = ()
    oos: tuple[Path, ...] = ()
    backbone: str = "embedded"
    cache: Path | None = None
    threads: int = 0
    promote: bool = True
    report: Path | None = None
    slot_types: Path | None = None  # what slots' values resolve to
    labels: Path | None = None  # what labels of intents mean, in words
    peft: Path | None = None  # checkpoint whose soft prompt is tuned on
    quiet: bool = False
    grown_from: str = ""  # a version of a skill, such as `live` or `banking@3`; empty: none
    gates: Gates = field(default_factory=Gates)

    def request(self, catalog: Catalog) -> JobRequest:
        """Return what a job is asked for.

        Raises:
            UnknownSkillError: there is no version to grow from.
        """
        return JobRequest(
            self.name,
            self.kind,
            config=self.config.model_dump(mode="json", exclude_defaults=True),
            alias=LIVE if self.promote else None,
            gates=self.gates.as_dict(),
            grown_from=str(catalog.get(self.parent)) if self.grown_from else "",
            peft="" if self.peft is None else str(self.peft.resolve()),
        )

    @property
    def parent(self) -> SkillRef:
        """The version to grow from, if there is one."""
        named = self.grown_from
        return SkillRef.parse(named if "@" in named else f"{self.name}@{named}")


@dataclass(frozen=True)
class Checked:
    """Rows that can be trained on, a summary of them, what of them is doubtful, and what was not used."""

    data: TrainingData
    summary: str
    warnings: tuple[str, ...]
    unused: tuple[Unused, ...]


@dataclass(frozen=True)
class Tuned:
    """The version as stored, how it did on held-out rows, what of the data was doubtful or not used."""

    version: SkillVersion
    trained: Trained[Any]
    warnings: tuple[str, ...]
    unused: tuple[Unused, ...]
    seconds: float  # from the first file read to the version stored


def run_tuning(tuning: Tuning) -> Tuned:
    """Read, train, store and report; an interrupt before the version is stored leaves the skill as it was.

    Raises:
        InputError: the data, a setting or the report's path is wrong.
        BackboneError, CatalogError: one of them cannot be had.
        LeaseLostError: someone else cancelled the training.
    """
    began = time.monotonic()
    check_name(tuning.name)
    if tuning.report is not None:
        check_report(tuning.report)
    checked = check_data(tuning)
    with open_catalog(tuning.catalog, create=True) as catalog:
        result = _run_in_place(catalog, tuning, checked)
    if tuning.report is not None:
        measured_on = ", ".join(map(str, tuning.dev)) or "rows held out of the training data"
        advice = _advice(tuning, checked)
        held_out, doubtful = result.trained.held_out, checked.warnings
        if held_out is None:
            raise InputError(
                f"{result.version} is stored, but there is no report: give held-out rows with --dev",
                field="report",
            )
        write_page(tuning.report, result.version, held_out, measured_on, doubtful, advice)
    seconds = time.monotonic() - began
    return Tuned(result.version, result.trained, checked.warnings, checked.unused, seconds)


def _advice(tuning: Tuning, checked: Checked) -> Advice | None:
    """Return advice about rows of intents for the report, if there can be any."""
    from training.cli.advise import advice_on

    if tuning.kind not in (SkillKind.INTENT, SkillKind.JOINT):
        return None
    rows = cast("tuple[Utterance, ...]", (*checked.data.train, *(checked.data.dev or ())))
    try:
        return advice_on(rows, Resources(tuning.backbone, tuning.cache, tuning.threads))
    except InputError as error:
        print_message(f"no advice about the data in the report: {error}")
        return None


def check_data(tuning: Tuning) -> Checked:
    """Read the files and check what is in them; what is doubtful becomes warnings, what is not used is told.

    The rows of a version to grow from are added.

    Raises:
        InputError: it cannot be trained on, or there is no version to grow from.
    """
    from storage.growing import data_to_grow
    from training.recipes import prepare

    data, skipped = tuning.files.training_data(
        tuning.kind, dev=tuning.dev, oos=tuning.oos, slot_types=tuning.slot_types, labels=tuning.labels
    )
    if tuning.grown_from:
        with open_catalog(tuning.catalog) as catalog:
            data = data_to_grow(catalog, catalog.get(tuning.parent), data)
    unused = tuning.files.unused(data)
    prepared = prepare(tuning.name, data, tuning.config, peft=tuning.peft)
    warnings = (*skip_warnings(skipped), *prepared.warnings)
    for warning in warnings:
        print_warning(warning)
    for line in unused_lines(unused):
        print_message(line, label="not used")
    return Checked(data, prepared.summary, warnings, tuple(unused))


def _run_in_place(catalog: Catalog, tuning: Tuning, checked: Checked) -> JobResult:
    from training.job_run import tell_failure

    request, worker = tuning.request(catalog), f"{socket.gethostname()}:{os.getpid()}"
    lease = catalog.jobs.begin(request, checked.data.to_bytes(), worker, lease_seconds=LEASE_SECONDS)
    if not tuning.quiet:
        print_message(f"{checked.summary}; loading {tuning.backbone} backbone")
    try:
        return _train(catalog, tuning, lease)
    except KeyboardInterrupt:
        _cancel(catalog, lease)
        print_message(f"interrupted: no version of {tuning.name!r} was stored")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None
    except LeaseLostError:
        raise
    except Exception as error:
        tell_failure(catalog, lease, error)
        raise


def _train(catalog: Catalog, tuning: Tuning, lease: Lease) -> JobResult:
    from training.job_run import run_job

    with training_progress(quiet=tuning.quiet) as on_progress:
        return run_job(
            catalog,
            lease,
            Resources(tuning.backbone, tuning.cache, tuning.threads),
            lease_seconds=LEASE_SECONDS,
            on_progress=on_progress,
        )


def _cancel(catalog: Catalog, lease: Lease) -> None:
    """Cancel a job of our own; one that was published a moment ago ends as any interrupted command does."""
    try:
        catalog.jobs.cancel(lease.job.id)
    except InputError:
        raise KeyboardInterrupt from None
    with suppress(LeaseLostError):
        catalog.jobs.heartbeat(lease, lease.job.progress)
