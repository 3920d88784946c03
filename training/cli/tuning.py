"""One training run from files to a stored version: what `train` and `demo` do."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skills.errors import InputError
from skills.skill import LIVE, OUT_OF_SCOPE_LABEL, check_name
from training.cli.catalogs import open_catalog
from training.cli.failures import ExitCode
from training.cli.labeled_files import LabeledFiles
from training.cli.output import print_message, print_warning
from training.cli.progress import training_progress

if TYPE_CHECKING:
    from skills.dataset import Dataset
    from skills.skill import SkillVersion
    from storage.catalog import Catalog
    from training.config import TuningConfig
    from training.trainer import Trained


@dataclass(frozen=True)
class Tuning:
    """What to train, on what, and where it goes; `cache` None is the user's, `threads` 0 all there are."""

    name: str
    files: LabeledFiles
    config: TuningConfig
    catalog: str
    dev: tuple[Path, ...] = ()
    oos: tuple[Path, ...] = ()
    backbone: str = "embedded"
    cache: Path | None = None
    threads: int = 0
    promote: bool = True
    report: Path | None = None
    peft: Path | None = None  # checkpoint whose soft prompt is tuned on
    quiet: bool = False


@dataclass(frozen=True)
class Tuned:
    """The version as stored, how it did on held-out rows, and what was doubtful about the data."""

    version: SkillVersion
    trained: Trained
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
    dataset, warnings = _dataset(tuning)
    for warning in warnings:
        print_warning(warning)
    with open_catalog(tuning.catalog, create=True) as catalog:
        trained = _interruptible(tuning, dataset)
        version = _publish(catalog, tuning, trained)
    tuned = Tuned(version, trained, warnings, time.monotonic() - began)
    if tuning.report is not None:
        _write_report(tuning.report, tuning, tuned)
    return tuned


def check_report(path: Path) -> None:
    """Check where the report goes before minutes are spent on what it reports.

    Raises:
        InputError: it cannot be written there.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(
            f"report {path} cannot be written: name a file in a folder that exists", field="report"
        )


def _dataset(tuning: Tuning) -> tuple[Dataset, tuple[str, ...]]:
    from skills.dataset import build

    train, skipped = tuning.files.read()
    outside, outside_skipped = tuning.files.read_out_of_scope(tuning.oos)
    rows = (*train, *outside)
    dev, dev_skipped = tuning.files.read(tuning.dev) if tuning.dev else (None, ())
    share = tuning.config.held_out_share(len(rows))
    dataset, report = build(rows, dev, dev_share=share, seed=tuning.config.seed)
    if not dataset.dev:
        raise InputError(
            "no rows are held out to calibrate on: give some intent at least 2 different rows, or give --dev",
            field="dev",
        )
    doubts = (*skipped, *outside_skipped, *dev_skipped)
    return dataset, (*_skip_warnings(doubts), *report.warnings())


def _skip_warnings(skipped: Sequence[InputError]) -> list[str]:
    shown = 5
    more = [f"and {len(skipped) - shown:,} more"] if len(skipped) > shown else []
    lines = [*map(str, skipped[:shown]), *more]
    return [f"bad rows, skipped ({len(skipped):,}): {'; '.join(lines)}"] if skipped else []


def _interruptible(tuning: Tuning, dataset: Dataset) -> Trained:
    try:
        return _train(tuning, dataset)
    except KeyboardInterrupt:
        print_message(f"interrupted: no version of {tuning.name!r} was stored")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def _train(tuning: Tuning, dataset: Dataset) -> Trained:
    from nlu.backbone import Backbone
    from nlu.compute import choose
    from training.peft import import_peft
    from training.trainer import train_intents

    choose("cpu", "float32", tuning.threads)  # training runs there; only the threads are to be settled
    if not tuning.quiet:
        rows = f"{len(dataset.train):,} rows of {len(dataset.labels)} intents, {len(dataset.dev):,} held out"
        outside = len(dataset.train_oos) + len(dataset.dev_oos)
        print_message(
            f"{rows}, {outside:,} out of scope ({OUT_OF_SCOPE_LABEL}); loading {tuning.backbone} backbone"
        )
    backbone = Backbone.load(tuning.backbone, cache=tuning.cache)
    start = None if tuning.peft is None else import_peft(tuning.peft, backbone.shape)
    with training_progress(quiet=tuning.quiet) as on_progress:
        return train_intents(
            tuning.name,
            dataset,
            backbone,
            tuning.config,
            start=start,
            refit=False if tuning.dev else None,  # rows of a file that is called held-out stay so
            on_progress=on_progress,
        )


def _publish(catalog: Catalog, tuning: Tuning, trained: Trained) -> SkillVersion:
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


def _write_report(path: Path, tuning: Tuning, tuned: Tuned) -> None:
    from training.report import IntentReport, write_report

    version, held_out = tuned.version, tuned.trained.held_out
    measured_on = ", ".join(map(str, tuning.dev)) if tuning.dev else "rows held out of the training data"
    write_report(
        path,
        IntentReport(
            title=str(version),
            measured_on=measured_on,
            method=version.method,
            backbone=version.backbone,
            labels=version.labels,
            provenance=version.provenance,
            metrics=held_out.metrics,
            predictions=held_out.predictions,
            warnings=tuned.warnings,
        ),
    )
