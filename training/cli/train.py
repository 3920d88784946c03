"""`softspoken train`: a file of labeled utterances becomes a served skill."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import click

from skills.errors import InputError
from skills.skill import SkillKind
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
from training.cli.scores import scores
from training.cli.tuning import Tuned, Tuning, run_tuning
from training.cli.versions import label_counts, version_document

if TYPE_CHECKING:
    from training.config import TrainingConfig

OWN_OPTIONS = ("method", "seed", "epochs", "prompt_length")  # settings that need no --set
_KINDS = {  # options that only some kinds have
    "columns": (SkillKind.INTENT,),
    "oos": (SkillKind.INTENT, SkillKind.JOINT),
    "slot_types": (SkillKind.SLOTS, SkillKind.JOINT),
    "method": (SkillKind.INTENT,),
    "from_peft": (SkillKind.INTENT,),
}


@click.command()
@click.argument("name")
@setting(
    "--kind",
    type=click.Choice([str(kind) for kind in SkillKind]),
    required=True,
    help="What the skill answers; intent+slots answers both from one prompt.",
)
@setting(
    "--data",
    type=FILE_OR_FOLDER,
    multiple=True,
    required=True,
    help="Labeled rows: .jsonl or Rasa NLU .yml; intents .csv, .tsv; slots .conll, .json; grammar .tsv, .m2. "
    "Several allowed.",
)
@setting(
    "--dev", type=FILE_OR_FOLDER, multiple=True, help="Held-out rows; without, a share of --data is held out."
)
@setting("--oos", type=FILE_OR_FOLDER, multiple=True, help="Out-of-scope utterances, labeled __oos__.")
@setting("--slot-types", type=FILE, help="What slots' values resolve to: a TOML file, see docs/cli.md.")
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
@setting(
    "--epochs", type=int, help="Upper bound; early stopping ends sooner.  [default: 20; slots 10; grammar 3]"
)
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
@setting("--report", type=FILE, help="Write one HTML page: scores, reliability, every error.")
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


def _tuning(name: str, options: dict[str, Any]) -> Tuning:
    kind = SkillKind(options["kind"])
    _check_options(kind, options)
    return Tuning(
        name=name,
        files=LabeledFiles(options["data"], options["columns"], options["skip_bad_rows"]),
        config=_config(kind, options),
        kind=kind,
        catalog=options["catalog"],
        dev=options["dev"],
        oos=options["oos"],
        backbone=options["backbone"],
        cache=options["cache_dir"],
        threads=options["threads"],
        promote=options["promote"],
        report=options["report"],
        slot_types=options["slot_types"],
        peft=options["from_peft"],
        quiet=options["json"],
    )


def _check_options(kind: SkillKind, options: dict[str, Any]) -> None:
    for name, kinds in _KINDS.items():
        if options[name] and kind not in kinds:
            option, known = f"--{name.replace('_', '-')}", " and ".join(kinds)
            raise InputError(
                f"{option} is for skills of kind {known}, this one is {kind}: leave it out", field=name
            )


def _config(kind: SkillKind, options: dict[str, Any]) -> TrainingConfig:
    from training.config import CONFIGS

    given = {name: options[name] for name in OWN_OPTIONS if options[name] is not None}
    if options["from_peft"] is not None and given.setdefault("method", "soft-prompt") != "soft-prompt":
        raise InputError("a PEFT checkpoint holds a soft prompt: leave --method out", field="method")
    return CONFIGS[kind].make(**given, **_assignments(options["set"], CONFIGS[kind]))


def _assignments(pairs: tuple[str, ...], config: type[TrainingConfig]) -> dict[str, str]:
    """Return the settings of --set.

    Raises:
        InputError: one is not `KEY=VALUE`, is not one of the config's, or has an option of its own.
    """
    known = [name for name in config.model_fields if name not in OWN_OPTIONS]
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
    return {
        **version_document(tuned.version),
        "held_out": scores(tuned.version.kind, tuned.trained.held_out).document,
        "refitted": tuned.trained.refitted,
        "warnings": list(tuned.warnings),
        "report": None if tuning.report is None else str(tuning.report),
        "seconds": round(tuned.seconds, 1),
    }
