"""`softspoken advise`: what would make labeled utterances better data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skills.errors import InputError
from skills.skill import OUT_OF_SCOPE_LABEL
from training.cli.labeled_files import LabeledFiles, skip_warnings
from training.cli.options import FILE_OR_FOLDER, backbone_options, json_option, setting
from training.cli.output import Table, cell, percent, print_json, print_message, print_table, print_warning
from training.resources import Resources

if TYPE_CHECKING:
    from skills.utterance import Utterance
    from training.advice import Advice

_SHOWN = 10  # of each part; JSON has all


@click.command()
@setting("--data", type=FILE_OR_FOLDER, multiple=True, required=True, help="Labeled rows. Several allowed.")
@setting("--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number.")
@setting("--skip-bad-rows", is_flag=True, help="Leave bad rows out and say which.")
@json_option
@backbone_options
def advise(data: tuple[Path, ...], columns: str | None, skip_bad_rows: bool, **options: Any) -> None:
    """Look at labeled utterances: intents that may be wrong, that overlap, or that have few rows.

    Takes seconds and trains no skill. `train --report` shows the same beside the skill's scores.
    """
    rows, skipped = LabeledFiles(data, columns, skip_bad_rows).read()
    for warning in skip_warnings(skipped):
        print_warning(warning)
    advice = advice_on(rows, Resources(options["backbone"], options["cache_dir"], options["threads"]))
    if options["json"]:
        print_json(advice_document(advice))
        return
    for table in _tables(advice):
        print_table(table)
    print_message(_in_words(advice))


def advice_on(utterances: Sequence[Utterance], resources: Resources) -> Advice:
    """Return what can be said of labeled utterances; those out of scope do not count.

    Raises:
        InputError: there is nothing to compare, or the extra package is missing.
        BackboneError: the backbone cannot be had.
    """
    try:
        import cleanlab  # noqa: F401
    except ImportError as error:
        raise InputError("advice needs cleanlab: pip install 'softspoken[advice]'", field="advice") from error
    from training.advice import advise, frozen_features

    rows = [row for row in utterances if row.intent != OUT_OF_SCOPE_LABEL]
    backbone, compute = resources.load_backbone(), resources.compute("auto")
    return advise(rows, frozen_features([row.text for row in rows], backbone, compute))


def advice_document(advice: Advice) -> dict[str, Any]:
    """Return all of it for JSON."""
    return {
        "accuracy": advice.accuracy,
        "suspects": [
            {
                "text": each.row.text,
                "place": each.row.place,
                "intent": each.row.intent,
                "probability": each.probability,
                "suggested": each.suggested,
                "suggested_probability": each.suggested_probability,
            }
            for each in advice.suspects
        ],
        "overlaps": [
            {
                "intents": [each.first, each.second],
                "share": each.share,
                "examples": [{"text": row.text, "intent": row.intent} for row in each.examples],
            }
            for each in advice.overlaps
        ],
        "few_rows": dict(advice.thin),
        "learning_curve": [asdict(point) for point in advice.curve],
    }


def _tables(advice: Advice) -> list[Table]:
    suspects = [
        (
            cell(each.row.place),
            cell(each.row.text),
            cell(each.row.intent, "red"),
            cell(each.suggested, "green"),
            cell(percent(each.suggested_probability)),
        )
        for each in advice.suspects[:_SHOWN]
    ]
    overlaps = [
        (cell(each.first), cell(each.second), cell(percent(each.share)), cell(each.examples[0].text))
        for each in advice.overlaps[:_SHOWN]
    ]
    thin = [(cell(label), cell(count)) for label, count in advice.thin[:_SHOWN]]
    curve = [(cell(f"{point.rows_per_label:.1f}"), cell(percent(point.accuracy))) for point in advice.curve]
    tables = [
        Table(("row", "text", "intent", "perhaps", "confidence"), suspects, "intents that may be wrong"),
        Table(
            ("intent", "and", "rows mistaken", "for example"), overlaps, "intents to tell apart or to merge"
        ),
        Table(("intent", "rows"), thin, "intents with few rows"),
        Table(("rows an intent", "right"), curve, "learning curve"),
    ]
    return [table for table in tables if table.rows]


def _in_words(advice: Advice) -> str:
    more = [f"{len(advice.suspects):,} rows are worth a look"] if advice.suspects else []
    more.append(f"the second half of the rows has added {100 * advice.last_doubling:.1f} points")
    return f"a check that is right for {percent(advice.accuracy)} of the rows: {'; '.join(more)}"
