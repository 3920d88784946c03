"""`softspoken train`: a file of labeled utterances becomes a served skill."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from skills.errors import InputError
from training.cli.labeled_files import LabeledFiles
from training.cli.options import (
    FILE,
    FILE_OR_FOLDER,
    FOLDER,
    backbone_options,
    catalog_option,
    json_option,
    setting,
)
from training.cli.output import Table, cell, print_json, print_table
from training.cli.scores import confusion_table, measured_rows, metric_rows, metrics_document
from training.cli.tuning import Tuned, Tuning, run_tuning

if TYPE_CHECKING:
    from training.config import TuningConfig

OWN_OPTIONS = ("method", "seed", "epochs", "prompt_length")  # settings that need no --set


@click.command()
@click.argument("name")
@setting("--kind", type=click.Choice(["intent"]), required=True, help="What the skill answers.")
@setting(
    "--data",
    type=FILE_OR_FOLDER,
    multiple=True,
    required=True,
    help="Labeled utterances: .jsonl, .csv, .tsv, Rasa NLU .yml or a folder of them. Several allowed.",
)
@setting(
    "--dev", type=FILE_OR_FOLDER, multiple=True, help="Held-out rows; without, a share of --data is held out."
)
@setting("--oos", type=FILE_OR_FOLDER, multiple=True, help="Out-of-scope utterances, labeled __oos__.")
@setting("--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number.")
@setting(
    "--skip-bad-rows",
    is_flag=True,
    help="Leave bad rows out and say which; otherwise the first one is an error.",
)
@setting(
    "--method",
    type=click.Choice(["deep-prompt", "soft-prompt"]),
    help="How it is tuned.  [default: deep-prompt]",
)
@setting(
    "--from-peft",
    type=FOLDER,
    help="PEFT checkpoint to go on from; with --set max_steps=0 its prompt is kept and only a head is made.",
)
@setting("--seed", type=int, help="Same seed, same machine, same bytes.  [default: 13]")
@setting("--epochs", type=int, help="Upper bound; early stopping ends sooner.  [default: 20]")
@setting("--prompt-length", type=int, help="Prompt vectors per layer.  [default: 16]")
@setting(
    "--set",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other setting of the training, see docs/cli.md. Repeatable.",
)
@setting(
    "--promote/--no-promote",
    default=True,
    help="Serve the version as soon as it is stored.",
)
@setting("--report", type=FILE, help="Write one HTML page: confusions, reliability, misread rows.")
@json_option
@catalog_option
@backbone_options
def train(name: str, **options: Any) -> None:
    """Train the skill NAME and store it as its next version.

    Ctrl-C stops the training; nothing is stored then.
    """
    tuning = _tuning(name, options)
    tuned = run_tuning(tuning)
    if options["json"]:
        print_json(_document(tuned, tuning))
    else:
        print_summary(tuned, promoted=tuning.promote)


def print_summary(tuned: Tuned, *, promoted: bool) -> None:
    """Write what was stored and how it did on held-out rows."""
    version, metrics = tuned.version, tuned.trained.held_out.metrics
    served = (
        "live: servers take it over within 2 s"
        if promoted
        else f"not live; softspoken skills promote {version}"
    )
    refitted = "; they were learned after that, too" if tuned.trained.refitted else ""
    rows = [
        (cell("stored"), cell(f"{version} ({served})", "bold green")),
        (cell("held-out rows"), cell(f"{measured_rows(metrics)}{refitted}")),
        *metric_rows(metrics),
        (cell("labels"), cell(len(version.labels))),
        (cell("stored bytes"), cell(f"{version.bytes:,}")),
        (cell("seconds"), cell(f"{tuned.seconds:.1f} ({version.provenance.seconds:.1f} of them training)")),
    ]
    print_table(Table(("skill", version.name), rows))
    if metrics.confusions:
        print_table(confusion_table(metrics.confusions))


def _tuning(name: str, options: dict[str, Any]) -> Tuning:
    files = LabeledFiles(options["data"], options["columns"], options["skip_bad_rows"])
    return Tuning(
        name=name,
        files=files,
        config=_config(options),
        catalog=options["catalog"],
        dev=options["dev"],
        oos=options["oos"],
        backbone=options["backbone"],
        cache=options["cache_dir"],
        threads=options["threads"],
        promote=options["promote"],
        report=options["report"],
        peft=options["from_peft"],
        quiet=options["json"],
    )


def _config(options: dict[str, Any]) -> TuningConfig:
    from training.config import make_config

    given = {name: options[name] for name in OWN_OPTIONS if options[name] is not None}
    if options["from_peft"] is not None and given.setdefault("method", "soft-prompt") != "soft-prompt":
        raise InputError("a PEFT checkpoint holds a soft prompt: leave --method out", field="method")
    return make_config(**given, **_assignments(options["set"]))


def _assignments(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return the settings of --set.

    Raises:
        InputError: one is not `KEY=VALUE`, is not known, or has an option of its own.
    """
    from training.config import TuningConfig

    known = [name for name in TuningConfig.model_fields if name not in OWN_OPTIONS]
    chosen: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key = key.strip().replace("-", "_")
        if key in OWN_OPTIONS:
            raise InputError(f"--set {pair}: use --{key.replace('_', '-')} for that", field="set")
        if not equals or key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"settings are {', '.join(known)}"
            raise InputError(f"--set {pair!r} is not KEY=VALUE with a known key; {advice}", field="set")
        chosen[key] = value.strip()
    return chosen


def _document(tuned: Tuned, tuning: Tuning) -> dict[str, Any]:
    from training.cli.versions import version_document

    return {
        **version_document(tuned.version),
        "held_out": metrics_document(tuned.trained.held_out.metrics),
        "refitted": tuned.trained.refitted,
        "warnings": list(tuned.warnings),
        "report": None if tuning.report is None else str(tuning.report),
        "seconds": round(tuned.seconds, 1),
    }
