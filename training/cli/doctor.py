"""`softspoken doctor`: what is wrong before a server starts, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from training.cli.failures import ExitCode
from training.cli.options import json_option
from training.cli.output import Table, cell, print_json, print_table
from training.cli.serve import serve

if TYPE_CHECKING:
    from training.doctor.finding import Finding

_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


class _LikeServe(click.Command):
    """Reads its options where `serve` does: the same variables, the same table of softspoken.toml."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if parent is not None:
            extra["auto_envvar_prefix"] = f"{parent.auto_envvar_prefix}_SERVE"
            tables = parent.default_map or {}
            extra["default_map"] = {**tables.get("serve", {}), **tables.get(info_name or "", {})}
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=_LikeServe, params=list(serve.params))
@json_option
def doctor(json: bool, cache_dir: Any, **options: Any) -> None:
    """Look for what would keep a server from doing well here, and say what to do.

    Takes the options of serve, their variables and their table in softspoken.toml. Changes nothing. The exit
    code is 1 if there is a problem; warnings alone leave it at 0.
    """
    from nlu.server_settings import ServerSettings
    from training.doctor.examination import examine
    from training.doctor.finding import State

    known = {field.name for field in fields(ServerSettings)}  # what else serve takes, nothing depends on here
    settings = ServerSettings(
        cache=cache_dir, **{name: value for name, value in options.items() if name in known}
    )
    configuration = click.get_current_context().find_root().params.get("config")
    findings = list(examine(settings, configuration))
    if json:
        print_json([_document(finding) for finding in findings])
    else:
        print_table(_table(findings))
    if any(finding.state is State.PROBLEM for finding in findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _document(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.check,
        "state": finding.state.value,
        "found": finding.found,
        "remedy": finding.remedy,
    }


def _table(findings: Sequence[Finding]) -> Table:
    rows = [
        (
            cell(finding.check),
            cell(finding.state, _STYLES[finding.state]),
            cell(finding.found),
            cell(finding.remedy),
        )
        for finding in findings
    ]
    return Table(("check", "state", "found", "what to do"), rows)
