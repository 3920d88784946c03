"""`softspoken evaluate`: a stored skill against a file of labeled utterances."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skills.skill import SkillRef
from training.cli.catalogs import load_version
from training.cli.labeled_files import LabeledFiles
from training.cli.options import (
    FILE,
    FILE_OR_FOLDER,
    backbone_options,
    catalog_option,
    engine_options,
    json_option,
    setting,
)
from training.cli.output import Table, cell, print_json, print_table, print_warning
from training.cli.scores import confusion_table, measured_rows, metric_rows, metrics_document
from training.cli.tuning import check_report

if TYPE_CHECKING:
    from nlu.loaded import LoadedSkill
    from training.evaluation import Evaluation


@click.command()
@click.argument("skill", metavar="NAME[@VERSION|@ALIAS]")
@setting(
    "--data", type=FILE_OR_FOLDER, multiple=True, required=True, help="Labeled utterances. Several allowed."
)
@setting("--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number.")
@setting("--skip-bad-rows", is_flag=True, help="Leave bad rows out and say which.")
@setting("--report", type=FILE, help="Write one HTML page: confusions, reliability, misread rows.")
@json_option
@catalog_option
@backbone_options
@engine_options
def evaluate(skill: str, **options: Any) -> None:
    """Answer labeled utterances with a stored skill, and compare."""
    from nlu.compute import choose
    from nlu.engine import make_engine
    from training.evaluation import evaluate as measure

    ref = SkillRef.parse(skill)
    if options["report"] is not None:
        check_report(options["report"])
    rows, skipped = LabeledFiles(options["data"], options["columns"], options["skip_bad_rows"]).read()
    for error in skipped:
        print_warning(f"bad row, skipped: {error}")
    compute = choose(options["device"], options["precision"], options["threads"])
    loaded, backbone = load_version(ref, options)
    engine = make_engine(backbone, compute, options["engine"])
    evaluation = measure(loaded, rows, backbone, engine)
    if options["report"] is not None:
        _write_report(options["report"], loaded, evaluation, options["data"])
    version = loaded.version
    if options["json"]:
        metrics = metrics_document(evaluation.metrics)
        print_json({"name": version.name, "version": version.version, "sha256": version.sha256, **metrics})
        return
    measured = (cell("rows"), cell(measured_rows(evaluation.metrics)))
    print_table(Table(("skill", str(version)), [measured, *metric_rows(evaluation.metrics)]))
    if evaluation.metrics.confusions:
        print_table(confusion_table(evaluation.metrics.confusions))


def _write_report(path: Path, skill: LoadedSkill, evaluation: Evaluation, data: tuple[Path, ...]) -> None:
    from training.report import IntentReport, write_report

    version = skill.version
    write_report(
        path,
        IntentReport(
            title=str(version),
            measured_on=", ".join(map(str, data)),
            method=version.method,
            backbone=version.backbone,
            labels=version.labels,
            provenance=version.provenance,
            metrics=evaluation.metrics,
            predictions=evaluation.predictions,
        ),
    )
