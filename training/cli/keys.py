"""`softspoken keys`: who may call a server that asks for API keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from skills.api_key import ApiKey, KeyDraft, Scope
from training.cli.catalogs import open_catalog
from training.cli.options import catalog_option, json_option, setting
from training.cli.output import Table, cell, print_json, print_message, print_table, print_warning

if TYPE_CHECKING:
    from storage.catalog import Catalog

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds
_STYLES = {"in force": "green", "revoked": "red", "expired": "yellow"}


def _read_lifetime(_context: click.Context, _option: click.Parameter, value: str | None) -> timedelta | None:
    """Read a time from now on, such as 90d."""
    if value is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no time: write 90d, 12h or 30m")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _read_rate(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Read requests by time, such as 100/s, and return those of a second."""
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,3})?)/([smh])", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is no rate: write 100/s, 30/m or 10/h")
    return float(match[1]) / _UNITS[match[2]]


@click.group()
def keys() -> None:
    """Make, list and revoke API keys. Servers know of changes within 2 s."""


@keys.command()
@click.argument("name")
@setting(
    "--scope",
    type=click.Choice([str(scope) for scope in Scope]),
    multiple=True,
    required=True,
    help="parse asks skills, train submits trainings, admin changes what is served. Repeatable.",
)
@setting("--expires", callback=_read_lifetime, metavar="90d", help="From now on.  [default: never]")
@setting("--skills", metavar="NAME,NAME,...", help="Only for these.  [default: all]")
@setting(
    "--rate", callback=_read_rate, metavar="100/s", help="Requests that one server answers.  [default: any]"
)
@catalog_option
def create(
    name: str,
    scope: Sequence[str],
    expires: timedelta | None,
    skills: str | None,
    rate: float | None,
    catalog: str,
) -> None:
    """Make a key for NAME and write it to standard output, once: the catalog keeps a hash of it.

    NAME is who has it, in logs and in the audit log, and is never given again.
    """
    draft = KeyDraft(
        name,
        frozenset(map(Scope, scope)),
        frozenset(each.strip() for each in (skills or "").split(",") if each.strip()),
        rate,
        None if expires is None else datetime.now(UTC) + expires,
    )
    with open_catalog(catalog) as opened:
        token = opened.keys.create(draft)
        _warn_of_unknown(opened, draft)
    click.echo(token.reveal())
    print_message("this is the only time that the key is shown: store it as a secret now")


@keys.command("list")
@json_option
@catalog_option
def list_keys(catalog: str, json: bool) -> None:
    """List all keys, also those that have ended; never the keys themselves."""
    with open_catalog(catalog) as opened:
        found = opened.keys.all()
    if json:
        print_json([_document(key) for key in found])
    elif found:
        print_table(_table(found))
    else:
        print_message("there are no keys: make one with softspoken keys create NAME --scope parse")


@keys.command()
@click.argument("name")
@catalog_option
def revoke(name: str, catalog: str) -> None:
    """End the key of NAME for good; what it has open on servers is ended within 2 s."""
    with open_catalog(catalog) as opened:
        opened.keys.revoke(name)
    click.echo(f"{name} was revoked")


def _warn_of_unknown(catalog: Catalog, draft: KeyDraft) -> None:
    unknown = sorted(draft.skills - {skill.shown.name for skill in catalog.overview()})
    if unknown:
        print_warning(f"there is no skill {', '.join(unknown)} yet; the key is for it when there is")


def _state(key: ApiKey) -> str:
    return key.end(datetime.now(UTC)) or "in force"


def _document(key: ApiKey) -> dict[str, Any]:
    """Return what may be told of a key: not its hash either."""
    times = {"created_at": key.created_at, "expires_at": key.expires_at}
    times |= {"revoked_at": key.revoked_at, "used_at": key.used_at}
    return {
        "name": key.name,
        "id": key.id,
        "state": _state(key),
        "scopes": sorted(key.scopes),
        "skills": sorted(key.skills),
        "rate": key.rate,
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
    }


def _table(found: Sequence[ApiKey]) -> Table:
    rows = [
        (
            cell(key.name, "bold"),
            cell(key.id),
            cell(_state(key), _STYLES[_state(key)]),
            cell(" ".join(sorted(key.scopes))),
            cell(" ".join(sorted(key.skills)) or "all"),
            cell("any" if key.rate is None else f"{key.rate:g}/s"),
            cell(_date(key.created_at)),
            cell(_date(key.expires_at)),
            cell(_date(key.used_at)),
        )
        for key in found
    ]
    columns = ("name", "id", "state", "scopes", "skills", "rate", "created", "expires", "last used")
    return Table(columns, rows)


def _date(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"
