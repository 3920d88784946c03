"""One HTML page that tells how well a skill was trained; it needs nothing from the network."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import jinja2

from skills.errors import InputError
from skills.skill import Method, Provenance, SkillVersion

if TYPE_CHECKING:
    from training.advice import Advice

SHOWN_ROWS = 500  # of those that are wrong; keeps the page of a large test under a megabyte


@dataclass(frozen=True)
class Subject:
    """What a page is about."""

    title: str  # the skill, perhaps with its version
    measured_on: str  # the file or split that the predictions are of
    method: Method
    backbone: str  # SHA-256 of its weights
    provenance: Provenance
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, version: SkillVersion, measured_on: str, warnings: tuple[str, ...] = ()) -> Subject:
        """Return a stored version as the subject."""
        return cls(
            title=str(version),
            measured_on=measured_on,
            method=version.method,
            backbone=version.backbone,
            provenance=version.provenance,
            warnings=warnings,
        )


class Report(ABC):
    """What the page tells of one training or evaluation; a subclass for each kind of answers."""

    template: ClassVar[str]
    subject: Subject
    predictions: Sequence[object]

    @abstractmethod
    def context(self) -> dict[str, Any]:
        """Return what the template shows besides the subject."""


def write_report(path: Path, report: Report, advice: Advice | None = None) -> None:
    """Write the page, with advice about the data; another one at `path` is replaced at once or not at all.

    Raises:
        InputError: the page cannot be written there.
    """
    page = render(report, advice)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(page)
        Path(temporary).chmod(0o644)  # a temporary file is readable by its owner only
        Path(temporary).replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def render(report: Report, advice: Advice | None = None) -> str:
    """Return the page as HTML; every text of the data is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("training", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(report.template).render(
        subject=report.subject,
        rows=len(report.predictions),
        shown_rows=SHOWN_ROWS,
        advice=advice,
        **report.context(),
    )


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"report {path} cannot be written ({error.strerror}): name a file in a folder that exists "
        "and can be written to",
        field="report",
    )
