"""`softspoken evaluate`: a stored skill against a file of labeled rows."""

from __future__ import annotations

from typing import Any

import click

from skills.skill import SkillRef
from training.cli.catalogs import load_version
from training.cli.measuring import make_examiner, named, read_rows
from training.cli.options import (
    FILE,
    FILE_OR_FOLDER,
    backbone_options,
    catalog_option,
    engine_options,
    json_option,
    setting,
)
from training.cli.output import Table, cell, print_json, print_table
from training.cli.reports import check_report, write_page
from training.cli.scores import scores


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
    ref = SkillRef.parse(skill)
    if options["report"] is not None:
        check_report(options["report"])
    loaded, backbone = load_version(ref, options)
    version = loaded.version
    rows = read_rows(version.kind, options)
    examiner = make_examiner(backbone, options)
    evaluation = examiner.evaluate(loaded, rows, with_context=not options["ignore_context"])
    if options["report"] is not None:
        write_page(options["report"], version, evaluation, named(options["data"]))
    found = scores(version.kind, evaluation)
    if options["json"]:
        known = {"name": version.name, "version": version.version, "sha256": version.sha256}
        print_json({**known, **found.document})
        return
    print_table(Table(("skill", str(version)), [(cell("rows"), cell(found.measured)), *found.rows]))
    for table in found.tables:
        print_table(table)
