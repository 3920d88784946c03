"""Options that several commands share, and how every option gets its variable.

An option of one command is `SOFTSPOKEN_TRAIN_SEED` and `seed` in the table `[train]` of softspoken.toml; a
shared one is `SOFTSPOKEN_CATALOG` and `catalog` at the top of the file. With `_FILE` after its name, a
variable names a file that has the value, as orchestrators hand out secrets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

PREFIX = "SOFTSPOKEN"

Function = TypeVar("Function", bound=Callable[..., object])

FILE = click.Path(path_type=Path, dir_okay=False)
FILE_OR_FOLDER = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)


class Setting(click.Option):
    """An option of one command; its help names its variable."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **{"show_envvar": True, **attributes})

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value, or what the file has that SOFTSPOKEN_..._FILE names.

        Raises:
            click.BadParameter: the file cannot be read.
        """
        value = super().resolve_envvar_value(ctx)
        own = f"{ctx.auto_envvar_prefix}_{(self.name or '').upper()}"
        variable = f"{self.envvar or own}_FILE"
        path = os.environ.get(variable)
        if value is not None or not path:
            return value
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(
                f"{variable} names {path}, which cannot be read: {error}", ctx, self
            ) from error


class SharedSetting(Setting):
    """An option that means the same in every command that has it, with one variable for all of them."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, allow_from_autoenv=False, **attributes)
        self.envvar = f"{PREFIX}_{(self.name or '').upper()}"


def setting(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """Add an option of one command."""
    return click.option(*names, cls=Setting, **attributes)


def shared(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """Add an option that other commands have, too."""
    return click.option(*names, cls=SharedSetting, **attributes)


def not_typed(context: click.Context, option: click.Parameter, value: str) -> str:
    """Refuse a secret on the command line; the callback of its option."""
    name = option.name or ""
    if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
        variable = option.envvar or f"{context.auto_envvar_prefix}_{name.upper()}"
        raise click.UsageError(
            f"every user of this machine can read {option.opts[0]} on the command line: set {variable}, or "
            f"{name} in softspoken.toml"
        )
    return value


def log_options(function: Function) -> Function:
    """Add --log-level, --log-format."""
    for add in (
        setting(
            "--log-format",
            type=click.Choice(["auto", "json", "pretty"]),
            default="auto",
            help="auto is pretty on a terminal, and JSON elsewhere.",
        ),
        setting(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="info",
            help="What is logged to standard error.",
        ),
    ):
        function = add(function)
    return function


def tolerance_option(function: Function) -> Function:
    """Add --tolerance, of --no-regression."""
    return setting(
        "--tolerance",
        type=click.FloatRange(min=0.0),
        default=0.0,
        metavar="SHARE",
        help="How much worse than that one it may be.",
    )(function)


def catalog_option(function: Function) -> Function:
    """Add --catalog."""
    return shared(
        "--catalog",
        default="sqlite:///softspoken.db",
        metavar="URL",
        help="Where skills are stored: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME.",
    )(function)


def process_options(function: Function) -> Function:
    """Add what loading any backbone needs: --cache-dir, --threads."""
    for add in (
        shared(
            "--threads",
            type=click.IntRange(min=0),
            default=0,
            metavar="N",
            help="CPU threads; 0 takes as many as this process may use.",
        ),
        shared("--cache-dir", type=FOLDER, help="Converted models.  [default: ~/.cache/softspoken]"),
    ):
        function = add(function)
    return function


def backbone_options(function: Function) -> Function:
    """Add which backbone, and what loading it needs: --backbone, --cache-dir, --threads."""
    return shared(
        "--backbone",
        default="embedded",
        metavar="NAME",
        help="embedded, a Hugging Face directory, or a hub id with its revision (org/model@commit).",
    )(process_options(function))


def engine_options(function: Function) -> Function:
    """Add what runs the backbone for answers: --engine, --device, --precision."""
    for add in (
        shared(
            "--precision",
            type=click.Choice(["auto", "float32", "bfloat16", "int8"]),
            default="auto",
            help="Of weights.",
        ),
        shared("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or cuda:N."),
        shared(
            "--engine",
            type=click.Choice(["auto", "openvino", "torch"]),
            default="auto",
            help="What computes.",
        ),
    ):
        function = add(function)
    return function


def json_option(function: Function) -> Function:
    """Add --json."""
    return setting("--json", is_flag=True, help="One JSON document on standard output.")(function)
