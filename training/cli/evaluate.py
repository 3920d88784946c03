"""`softspoken evaluate`: a stored skill against a file of labeled rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from skills.skill import SkillKind, SkillRef
from training.cli.catalogs import load_version
from training.cli.labeled_files import LabeledFiles, Skipped
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
from training.cli.reports import check_report, write_page
from training.cli.scores import scores

if TYPE_CHECKING:
    from nlu.backbone import Backbone
    from nlu.compute import Compute
    from nlu.loaded import LoadedSkill


@click.command()
@click.argument("skill", metavar="NAME[@VERSION|@ALIAS]")
@setting("--data", type=FILE_OR_FOLDER, multiple=True, required=True, help="Labeled rows. Several allowed.")
@setting("--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number.")
@setting("--skip-bad-rows", is_flag=True, help="Leave bad rows out and say which.")
@setting(
    "--ignore-context", is_flag=True, help="Do not tell a skill of slots which ones a row's dialog expects."
)
@setting("--report", type=FILE, help="Write one HTML page: scores, reliability, every error.")
@json_option
@catalog_option
@backbone_options
@engine_options
def evaluate(skill: str, **options: Any) -> None:
    """Answer labeled rows with a stored skill, and compare."""
    from nlu.compute import choose

    ref = SkillRef.parse(skill)
    if options["report"] is not None:
        check_report(options["report"])
    compute = choose(options["device"], options["precision"], options["threads"])
    loaded, backbone = load_version(ref, options)
    version = loaded.version
    evaluation = _EVALUATIONS[version.kind](loaded, backbone, compute, options)
    if options["report"] is not None:
        write_page(options["report"], version, evaluation, ", ".join(map(str, options["data"])))
    found = scores(version.kind, evaluation)
    if options["json"]:
        known = {"name": version.name, "version": version.version, "sha256": version.sha256}
        print_json({**known, **found.document})
        return
    print_table(Table(("skill", str(version)), [(cell("rows"), cell(found.measured)), *found.rows]))
    for table in found.tables:
        print_table(table)


def _intents(skill: LoadedSkill, backbone: Backbone, compute: Compute, options: dict[str, Any]) -> object:
    from nlu.engine import make_engine
    from training.evaluation import evaluate as measure

    rows, skipped = _files(options).read()
    _warn(skipped)
    return measure(skill, rows, backbone, make_engine(backbone, compute, options["engine"]))


def _slots(skill: LoadedSkill, backbone: Backbone, compute: Compute, options: dict[str, Any]) -> object:
    from nlu.engine import make_engine
    from training.slot_evaluation import evaluate_slots

    found = _files(options).read_slots()
    _warn(found.skipped)
    engine = make_engine(backbone, compute, options["engine"])
    with_context = not options["ignore_context"]
    return evaluate_slots(skill, found.utterances, backbone, engine, with_context=with_context)


def _corrections(skill: LoadedSkill, backbone: Backbone, compute: Compute, options: dict[str, Any]) -> object:
    from nlu.corrector import Corrector
    from nlu.engine import make_engine
    from training.correction_evaluation import evaluate_corrections

    sentences, skipped = _files(options).read_corrections()
    _warn(skipped)
    engine = make_engine(backbone, compute, options["engine"])
    return evaluate_corrections(skill, sentences, backbone, engine, Corrector(backbone.decoder(), compute))


_EVALUATIONS: dict[SkillKind, Callable[[LoadedSkill, Backbone, Compute, dict[str, Any]], object]] = {
    SkillKind.INTENT: _intents,
    SkillKind.SLOTS: _slots,
    SkillKind.JOINT: _slots,
    SkillKind.GRAMMAR: _corrections,
}


def _files(options: dict[str, Any]) -> LabeledFiles:
    return LabeledFiles(options["data"], options["columns"], options["skip_bad_rows"])


def _warn(skipped: Skipped) -> None:
    for error in skipped:
        print_warning(f"bad row, skipped: {error}")
