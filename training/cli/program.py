"""The program `softspoken`: its commands, where options come from, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from training.cli.configuration import DEFAULT_FILE, read_configuration
from training.cli.failures import ExitCode, exit_code, usage_message
from training.cli.lazy import LazyCommands
from training.cli.options import FILE, PREFIX
from training.cli.output import print_error, print_message

_EPILOG = """\b
Options come from, first to last: the command line; the environment; softspoken.toml; the default.
An option of one command is SOFTSPOKEN_TRAIN_SEED, and seed in [train]; one that many commands
share is SOFTSPOKEN_CATALOG, and catalog at the top of the file.

\b
Exit codes:
  0    done
  1    failed: the catalog, the backbone, a stored version
  2    bad usage or input: options, data, names that do not exist, a missing package
  3    the server refused, or does not answer
  130  interrupted
"""

_COMMANDS = {  # the order is that of suggestions for a wrong key of softspoken.toml
    "demo": "training.cli.demo:demo",
    "train": "training.cli.train:train",
    "evaluate": "training.cli.evaluate:evaluate",
    "advise": "training.cli.advise:advise",
    "parse": "training.cli.parse:parse",
    "serve": "training.cli.serve:serve",
    "skills": "training.cli.skills:skills",
    "jobs": "training.cli.jobs:jobs",
    "worker": "training.cli.worker:worker",
    "keys": "training.cli.keys:keys",
    "corrupt": "training.cli.corrupt:corrupt",
    "backbone": "training.cli.backbone:backbone",
    "db": "training.cli.database:db",
    "doctor": "training.cli.doctor:doctor",
    "plan": "training.cli.plan:plan",
}


class Program(click.Group):
    """A group whose every end is an exit code and, if it is a bad one, one line on standard error."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run; with `standalone_mode`, as by default, end the process."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            ended = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            code = ended if isinstance(ended, int) else ExitCode.OK
        except click.Abort:
            print_message("interrupted")
            code = ExitCode.INTERRUPTED
        except click.ClickException as error:
            print_error(usage_message(error))
            code = ExitCode.BAD_INPUT
        except Exception as error:
            found = exit_code(error)
            if found is None:
                raise
            print_error(str(error))
            code = found
        sys.exit(code)


def _configure(context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Take defaults from the file before any command reads its options."""
    if path is None and DEFAULT_FILE.is_file():
        path = DEFAULT_FILE
    if path is not None and isinstance(context.command, click.Group):
        context.default_map = read_configuration(path, context.command)
    return path


@click.group(
    cls=Program,
    commands=LazyCommands(_COMMANDS),
    epilog=_EPILOG,
    context_settings={
        "auto_envvar_prefix": PREFIX,
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
        "show_default": True,
    },
)
@click.option(
    "--config",
    type=FILE,
    is_eager=True,
    callback=_configure,
    show_envvar=True,
    help="Defaults for options.  [default: softspoken.toml in this directory, if there]",
)
@click.version_option(package_name="softspoken", message="%(version)s")
def program(config: Path | None) -> None:
    """Dialog understanding: one frozen FLAN-T5, many prompt-tuned skills, one gRPC endpoint."""
