"""Labeled files, read for skills of a kind, and what measures skills on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skills.skill import SkillKind
from training.cli.labeled_files import LabeledFiles
from training.cli.output import print_warning

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from training.examiner import Examiner


def read_rows(kind: SkillKind, options: dict[str, Any]) -> Sequence[Any]:
    """Return the rows of --data as skills of a kind answer them; bad ones that are skipped are warnings.

    Raises:
        DataError: a file cannot be read, or a row is bad and bad rows are not skipped.
    """
    files = LabeledFiles(options["data"], options["columns"], options["skip_bad_rows"])
    rows: Sequence[Any]
    if kind is SkillKind.GRAMMAR:
        rows, skipped = files.read_corrections()
    elif kind is SkillKind.INTENT:
        rows, skipped = files.read()
    else:
        found = files.read_slots()
        rows, skipped = found.utterances, found.skipped
    for error in skipped:
        print_warning(f"bad row, skipped: {error}")
    return rows


def make_examiner(backbone: Backbone, options: dict[str, Any]) -> Examiner:
    """Return what measures skills, as --engine, --device, --precision and --threads say."""
    from nlu.engine import choose_for_serving
    from training.examiner import Examiner

    engine = options["engine"]
    compute = choose_for_serving(options["device"], options["precision"], options["threads"], engine)
    return Examiner(backbone, compute, engine)


def named(paths: Sequence[Path]) -> str:
    """Return the files of --data for titles."""
    return ", ".join(map(str, paths))
