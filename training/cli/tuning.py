"""One training run from files to a stored version: what `train` and `demo` do."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skills.skill import LIVE, SkillKind, check_name
from training.cli.catalogs import open_catalog
from training.cli.failures import ExitCode
from training.cli.labeled_files import LabeledFiles, skip_warnings
from training.cli.output import print_message, print_warning
from training.cli.progress import training_progress
from training.cli.reports import check_report, write_page

if TYPE_CHECKING:
    from skills.skill import SkillVersion
    from storage.catalog import Catalog
    from training.config import TrainingConfig
    from training.recipes import Prepared
    from training.trained import Trained


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
    peft: Path | None = None  # checkpoint whose soft prompt is tuned on
    quiet: bool = False


@dataclass(frozen=True)
class Tuned:
    """The version as stored, how it did on held-out rows, and what was doubtful about the data."""

    version: SkillVersion
    trained: Trained[Any]
    warnings: tuple[str, ...]
    seconds: float  # from the first file read to the version stored


def run_tuning(tuning: Tuning) -> Tuned:
    """Read, train, store and report; an interrupt before the version is stored leaves the catalog as it was.

    Raises:
        InputError: the data, a setting or the report's path is wrong.
        BackboneError, CatalogError: one of them cannot be had.
    """
    began = time.monotonic()
    check_name(tuning.name)
    if tuning.report is not None:
        check_report(tuning.report)
    prepared, warnings = _prepared(tuning)
    for warning in warnings:
        print_warning(warning)
    with open_catalog(tuning.catalog, create=True) as catalog:
        trained = _interruptible(tuning, prepared)
        version = _publish(catalog, tuning, trained)
    if tuning.report is not None:
        measured_on = ", ".join(map(str, tuning.dev)) or "rows held out of the training data"
        write_page(tuning.report, version, trained.held_out, measured_on, warnings)
    return Tuned(version, trained, warnings, time.monotonic() - began)


def _prepared(tuning: Tuning) -> tuple[Prepared, tuple[str, ...]]:
    """Return the training, and what is doubtful about its files and its data."""
    from training.recipes import prepare

    data, skipped = tuning.files.training_data(
        tuning.kind, dev=tuning.dev, oos=tuning.oos, slot_types=tuning.slot_types
    )
    prepared = prepare(tuning.name, data, tuning.config, peft=tuning.peft)
    return prepared, (*skip_warnings(skipped), *prepared.warnings)


def _interruptible(tuning: Tuning, prepared: Prepared) -> Trained[Any]:
    try:
        return _train(tuning, prepared)
    except KeyboardInterrupt:
        print_message(f"interrupted: no version of {tuning.name!r} was stored")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def _train(tuning: Tuning, prepared: Prepared) -> Trained[Any]:
    from nlu.backbone import Backbone
    from nlu.compute import choose

    compute = choose("cpu", prepared.precision, tuning.threads)  # training runs there
    if not tuning.quiet:
        print_message(f"{prepared.summary}; loading {tuning.backbone} backbone")
    backbone = Backbone.load(tuning.backbone, cache=tuning.cache)
    with training_progress(quiet=tuning.quiet) as on_progress:
        return prepared.train(backbone, compute, on_progress)


def _publish(catalog: Catalog, tuning: Tuning, trained: Trained[Any]) -> SkillVersion:
    with _uninterrupted():
        return catalog.publish(trained.draft, alias=LIVE if tuning.promote else None)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C for the milliseconds of a commit: whoever is told "nothing was stored" can rely on it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
