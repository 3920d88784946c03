"""How a command ends badly: the exit codes, and one line that says why."""

from __future__ import annotations

from enum import IntEnum

import click
from click.core import ParameterSource

from skills.errors import InputError, NotReadyError, OverloadedError, SoftspokenError


class ExitCode(IntEnum):
    """What the shell is told."""

    OK = 0
    FAILED = 1  # at run time: catalog, backbone, a stored version
    BAD_INPUT = 2  # usage, data, a name that does not exist, a missing package
    SERVER = 3  # it refused, or does not answer
    INTERRUPTED = 130  # as shells report SIGINT


def exit_code(error: Exception) -> ExitCode | None:
    """Return the code that stands for an error; None for one that nobody raised on purpose."""
    from nlu.client_errors import ClientError, InvalidRequestError, UnknownSkillError

    if isinstance(error, (InputError, InvalidRequestError, UnknownSkillError)):
        return ExitCode.BAD_INPUT
    if isinstance(error, (NotReadyError, OverloadedError, ClientError)):
        return ExitCode.SERVER
    return ExitCode.FAILED if isinstance(error, SoftspokenError) else None


def usage_message(error: click.ClickException) -> str:
    """Return a usage error in one line: what is wrong, where it was set, and where to read more."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    return f"{message}{_origin(error, context)}; see {context.command_path} --help"


def _origin(error: click.ClickException, context: click.Context) -> str:
    """Say where a bad value came from, if it was not the command line."""
    option = error.param if isinstance(error, click.BadParameter) else None
    if not isinstance(option, click.Option) or option.name is None:
        return ""
    source = context.get_parameter_source(option.name)
    if source is ParameterSource.ENVIRONMENT:
        return " (set in the environment)"
    if source is ParameterSource.DEFAULT_MAP:
        return f" (set in {context.find_root().params.get('config') or 'the configuration file'})"
    return ""
