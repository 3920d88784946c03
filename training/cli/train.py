"""`softspoken train`: a file of labeled utterances becomes a served skill."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from training.cli.options import FILE, FOLDER, backbone_options, catalog_option, json_option, setting
from training.cli.output import Table, cell, print_json, print_table
from training.cli.scores import scores
from training.cli.training_options import read_tuning, training_options
from training.cli.tuning import Tuned, Tuning, run_tuning
from training.cli.versions import label_counts, version_document


@click.command()
@click.argument("name")
@training_options
@setting(
    "--from-peft",
    type=FOLDER,
    help="PEFT checkpoint to go on from; with --set max_steps=0 its prompt is kept and only a head is made.",
)
@setting("--report", type=FILE, help="Write one HTML page: scores, reliability, every error.")
@json_option
@catalog_option
@backbone_options
def train(name: str, **options: Any) -> None:
    """Train the skill NAME and store it as its next version.

    Ctrl-C stops the training; nothing is stored then.
    """
    tuning = read_tuning(
        name,
        options,
        backbone=options["backbone"],
        cache=options["cache_dir"],
        threads=options["threads"],
        report=options["report"],
        peft=options["from_peft"],
    )
    tuned = run_tuning(tuning)
    if options["json"]:
        print_json(_document(tuned, tuning))
    else:
        print_summary(tuned, promoted=tuning.promote)


def print_summary(tuned: Tuned, *, promoted: bool) -> None:
    """Write what was stored and how it did on held-out rows."""
    version = tuned.version
    found = scores(version.kind, tuned.trained.held_out)
    served = (
        "live: servers take it over within 2 s"
        if promoted
        else f"not live; softspoken skills promote {version}"
    )
    refitted = "; they were learned after that, too" if tuned.trained.refitted else ""
    rows = [
        (cell("stored"), cell(f"{version} ({served})", "bold green")),
        (cell("held-out rows"), cell(f"{found.measured}{refitted}")),
        *found.rows,
        *((cell(name), cell(count)) for name, count in label_counts(version).items()),
        (cell("stored bytes"), cell(f"{version.bytes:,}")),
        (cell("seconds"), cell(f"{tuned.seconds:.1f} ({version.provenance.seconds:.1f} of them training)")),
    ]
    print_table(Table(("skill", version.name), rows))
    for table in found.tables:
        print_table(table)


def _document(tuned: Tuned, tuning: Tuning) -> dict[str, Any]:
    return {
        **version_document(tuned.version),
        "held_out": scores(tuned.version.kind, tuned.trained.held_out).document,
        "refitted": tuned.trained.refitted,
        "warnings": list(tuned.warnings),
        "unused": list(map(asdict, tuned.unused)),
        "report": None if tuning.report is None else str(tuning.report),
        "seconds": round(tuned.seconds, 1),
    }
