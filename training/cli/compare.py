"""`softspoken skills compare`: two versions, the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from skills.comparison import Change, Comparison, LabelChange
from skills.skill import SkillRef, SkillVersion
from training.cli.catalogs import load_versions
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
from training.cli.output import Table, cell, percent, print_json, print_table, print_warning
from training.cli.reports import check_report

if TYPE_CHECKING:
    from training.compared_versions import ComparedVersions

_SHOWN = 10  # rows of each change, and labels; the report has all
_TITLES = {
    Change.WORSE: "got worse",
    Change.BETTER: "got better",
    Change.DIFFERENT: "both wrong, differently",
}


@click.command()
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@setting("--data", type=FILE_OR_FOLDER, multiple=True, required=True, help="Labeled rows. Several allowed.")
@setting("--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number.")
@setting("--skip-bad-rows", is_flag=True, help="Leave bad rows out and say which.")
@setting("--report", type=FILE, help="Write one HTML page: every row that changed.")
@json_option
@catalog_option
@backbone_options
@engine_options
def compare(first: str, second: str, **options: Any) -> None:
    """Let the versions A and B, NAME[@VERSION|@ALIAS] each, answer the same labeled rows.

    Tells which rows B answers better and worse than A, and whether chance explains the difference.
    """
    from training.compared_versions import compare_versions

    refs = [SkillRef.parse(first), SkillRef.parse(second)]
    if options["report"] is not None:
        check_report(options["report"])
    (before, after), backbone = load_versions(refs, options)
    rows = read_rows(before.version.kind, options)
    compared = compare_versions(before, after, rows, make_examiner(backbone, options))
    if compared.left_out:
        print_warning(
            f"{compared.left_out:,} rows have labels that only one of {compared.first} and {compared.second} "
            "knows: left out"
        )
    if options["report"] is not None:
        _write_page(options, compared)
    if options["json"]:
        print_json(_document(compared))
    else:
        _print(compared)


def _write_page(options: dict[str, Any], compared: ComparedVersions) -> None:
    from training.report import write_report
    from training.report_comparison import ComparisonReport

    write_report(options["report"], ComparisonReport.of(compared, named(options["data"])))


def _print(compared: ComparedVersions) -> None:
    comparison, names = compared.comparison, (str(compared.first), str(compared.second))
    print_table(_summary(compared, names))
    for change, title in _TITLES.items():
        if comparison.of(change):
            print_table(_rows_table(comparison, change, title, names))
    if comparison.labels:
        print_table(_labels_table(comparison.labels, names))
    click.echo(f"\n{_verdict(comparison, *names)}")


def _summary(compared: ComparedVersions, names: tuple[str, str]) -> Table:
    comparison = compared.comparison
    right = ("answered right", percent(comparison.first_right), percent(comparison.second_right))
    metrics = [(each.name, _number(each.first), _number(each.second)) for each in compared.metrics]
    return Table(
        (f"{len(comparison.rows):,} rows", *names),
        [tuple(cell(value) for value in row) for row in (right, *metrics)],
    )


def _rows_table(comparison: Comparison, change: Change, title: str, names: tuple[str, str]) -> Table:
    rows = comparison.of(change)
    shown = f"; the first {_SHOWN}" if len(rows) > _SHOWN else ""
    return Table(
        ("utterance", "expected", *names),
        [
            (cell(row.text), cell(row.expected), cell(row.first.text), cell(row.second.text))
            for row in rows[:_SHOWN]
        ],
        title=f"{title}: {len(rows):,} rows{shown}",
    )


def _labels_table(labels: Sequence[LabelChange], names: tuple[str, str]) -> Table:
    return Table(
        ("label", "rows", *names, "change"),
        [
            (
                cell(each.label),
                cell(each.rows),
                cell(percent(each.first)),
                cell(percent(each.second)),
                cell(f"{100 * each.difference:+.1f}", "green" if each.difference > 0 else "red"),
            )
            for each in labels[:_SHOWN]
        ],
        title="labels whose F1 changed most",
    )


def _verdict(comparison: Comparison, first: str, second: str) -> str:
    better, worse = len(comparison.of(Change.BETTER)), len(comparison.of(Change.WORSE))
    meaning = "significant" if comparison.significant else "it may be chance"
    return (
        f"{second} is better than {first} on {better:,} rows and worse on {worse:,}: "
        f"{meaning} (McNemar's exact test, p = {comparison.p_value:.3g})"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _document(compared: ComparedVersions) -> dict[str, Any]:
    comparison = compared.comparison
    return {
        "a": _side(compared.first, comparison.first_right, compared.first_metrics),
        "b": _side(compared.second, comparison.second_right, compared.second_metrics),
        "rows": len(comparison.rows),
        "left_out": compared.left_out,
        "p_value": comparison.p_value,
        "significant": comparison.significant,
        **{change.value: [asdict(row) for row in comparison.of(change)] for change in _TITLES},
        "labels": [{**asdict(each), "difference": each.difference} for each in comparison.labels],
    }


def _side(version: SkillVersion, right: float, metrics: dict[str, float]) -> dict[str, Any]:
    known = {"name": version.name, "version": version.version, "sha256": version.sha256}
    return {**known, "right": right, "metrics": metrics}
