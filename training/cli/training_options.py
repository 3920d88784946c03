"""The options that say what to train: those of `train` and of `jobs submit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from skills.errors import InputError
from skills.skill import SkillKind
from training.cli.labeled_files import LabeledFiles
from training.cli.options import FILE, FILE_OR_FOLDER, Function, setting
from training.cli.tuning import Tuning

if TYPE_CHECKING:
    from training.config import TrainingConfig

OWN_OPTIONS = ("method", "seed", "epochs", "prompt_length")  # settings that need no --set
_KINDS = {  # options that only some kinds have
    "columns": (SkillKind.INTENT,),
    "labels": (SkillKind.INTENT,),
    "oos": (SkillKind.INTENT, SkillKind.JOINT),
    "slot_types": (SkillKind.SLOTS, SkillKind.JOINT),
    "method": (SkillKind.INTENT,),
    "from_peft": (SkillKind.INTENT,),
}


def training_options(function: Function) -> Function:
    """Add what to train: --kind, --data and all that says how."""
    for add in reversed(_OPTIONS):
        function = add(function)
    return function


_OPTIONS = (
    setting(
        "--kind",
        type=click.Choice([str(kind) for kind in SkillKind]),
        required=True,
        help="What the skill answers; intent+slots answers both from one prompt.",
    ),
    setting(
        "--data",
        type=FILE_OR_FOLDER,
        multiple=True,
        help="Labeled rows: .jsonl or Rasa NLU .yml; intents .csv, .tsv; slots .conll, .json; "
        "grammar .tsv, .m2. Several allowed.",
    ),
    setting(
        "--dev",
        type=FILE_OR_FOLDER,
        multiple=True,
        help="Held-out rows; without, a share of --data is held out.",
    ),
    setting(
        "--labels",
        type=FILE,
        help="Labels of intents in words, .yml or .jsonl, beside --data or alone: see docs/cli.md.",
    ),
    setting("--oos", type=FILE_OR_FOLDER, multiple=True, help="Out-of-scope utterances, labeled __oos__."),
    setting("--slot-types", type=FILE, help="What slots' values resolve to: a TOML file, see docs/cli.md."),
    setting(
        "--columns", metavar="text=C,intent=C", help="Columns of .csv and .tsv files, by name or number."
    ),
    setting(
        "--skip-bad-rows",
        is_flag=True,
        help="Leave bad rows out and say which; otherwise the first one is an error.",
    ),
    setting(
        "--method",
        type=click.Choice(["deep-prompt", "soft-prompt"]),
        help="How it is tuned.  [default: deep-prompt]",
    ),
    setting("--seed", type=int, help="Same seed, same machine, same bytes.  [default: 13]"),
    setting(
        "--epochs",
        type=int,
        help="Upper bound; early stopping ends sooner.  [default: 20; slots 10; grammar 3]",
    ),
    setting("--prompt-length", type=int, help="Prompt vectors per layer.  [default: 16]"),
    setting(
        "--set",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any other setting of the training, see docs/cli.md. Repeatable.",
    ),
    setting(
        "--from",
        "grown_from",
        metavar="VERSION",
        help="Version to grow from, in a quarter of the steps; --data adds to its rows: live, 3, NAME@3.",
    ),
    setting(
        "--promote/--no-promote",
        default=True,
        help="Serve the version as soon as it is stored.",
    ),
)


def read_tuning(name: str, options: dict[str, Any], **more: Any) -> Tuning:
    """Return what the options ask for; `more` are fields that only one command has.

    Raises:
        InputError: an option is not for skills of this kind, or a setting is wrong.
    """
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
        promote=options["promote"],
        slot_types=options["slot_types"],
        labels=options["labels"],
        grown_from=options["grown_from"] or "",
        quiet=options["json"],
        **more,
    )


def _check_options(kind: SkillKind, options: dict[str, Any]) -> None:
    for name, kinds in _KINDS.items():
        if options.get(name) and kind not in kinds:
            option, known = f"--{name.replace('_', '-')}", " and ".join(kinds)
            raise InputError(
                f"{option} is for skills of kind {known}, this one is {kind}: leave it out", field=name
            )
    if not options["data"] and not options["labels"]:
        raise InputError("there is nothing to learn: give rows with --data", field="data")
    if options.get("from_peft") and options["grown_from"]:
        raise InputError("--from and --from-peft both say what to start from: leave one out", field="from")


def _config(kind: SkillKind, options: dict[str, Any]) -> TrainingConfig:
    from training.config import CONFIGS

    given = {name: options[name] for name in OWN_OPTIONS if options[name] is not None}
    if options.get("from_peft") is not None and given.setdefault("method", "soft-prompt") != "soft-prompt":
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
            import difflib

            close = difflib.get_close_matches(key, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"settings are {', '.join(known)}"
            raise InputError(f"--set {pair!r} is not KEY=VALUE with a known key; {advice}", field="set")
        chosen[key] = value.strip()
    return chosen
