"""`softspoken parse`: what utterances mean, asked of a server or of a catalog."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from nlu.client_types import ParseRequest
from skills.errors import InputError
from skills.parse import MAX_N_BEST
from skills.skill import SkillRef
from training.cli.answers import answers_document, answers_table, ask_catalog, ask_server
from training.cli.catalogs import open_catalog
from training.cli.options import (
    FILE,
    backbone_options,
    catalog_option,
    engine_options,
    json_option,
    not_typed,
    setting,
    shared,
)
from training.cli.output import print_json, print_table

if TYPE_CHECKING:
    from nlu.client import Tls
    from nlu.server_settings import ServerSettings

STANDARD_INPUT = "-"


@click.command()
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@setting("--skills", metavar="NAME,NAME@3,...", help="Skills to ask.  [default: all live ones]")
@shared("--server", metavar="HOST:PORT", help="A running server to ask, instead of the catalog.")
@setting(
    "--n-best",
    type=click.IntRange(1, MAX_N_BEST),
    default=5,
    help="Length of the ranking.",
)
@setting("--expected-slots", metavar="NAME,NAME,...", help="Slots that the dialog has just asked for.")
@setting(
    "--correct-grammar",
    is_flag=True,
    help="Let a grammar skill run first, and the others read its correction, unless slots are expected.",
)
@setting(
    "--explain",
    is_flag=True,
    help="Name the utterances that answers of intents resemble. The API key needs the scope train.",
)
@shared(
    "--api-key",
    default="",
    show_default=False,
    callback=not_typed,
    help="For a server that asks for one. As its variable or in softspoken.toml only.",
)
@setting("--tls", is_flag=True, help="Encrypt the way to the server; implied by the next three.")
@setting(
    "--tls-ca", type=FILE, help="PEM file of who signed the server's certificate.  [default: the system's]"
)
@setting("--tls-certificate", type=FILE, help="PEM file, for a server that asks for a client certificate.")
@setting("--tls-key", type=FILE, help="PEM file of that certificate's key.")
@json_option
@catalog_option
@backbone_options
@engine_options
@click.pass_context
def parse(context: click.Context, /, texts: tuple[str, ...], **options: Any) -> None:
    """Say what each TEXT means; "-" reads one a line from standard input.

    Asks the server if --server is given or configured. --catalog on the command line asks the catalog in this
    process instead; backbone and engine are for that.
    """
    skills = _skills(options["skills"])
    utterances = _utterances(texts)
    requests = [
        ParseRequest(
            text,
            skills,
            n_best=options["n_best"],
            expected_slots=_listed(options["expected_slots"]),
            correct_grammar=options["correct_grammar"],
            explain=options["explain"],
        )
        for text in utterances
    ]
    server = _server(context, options["server"])
    if server:
        results = ask_server(requests, server, tls=_tls(options), api_key=options["api_key"])
    else:
        with open_catalog(options["catalog"]):  # an older one, or none, is told before the backbone is loaded
            pass
        results = ask_catalog(requests, _settings(options))
    if options["json"]:
        print_json(answers_document(utterances, results))
    else:
        print_table(answers_table(utterances, results))


def _skills(given: str | None) -> tuple[str, ...]:
    names = _listed(given)
    for name in names:
        SkillRef.parse(name)
    return names


def _listed(given: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (given or "").split(",") if name.strip())


def _utterances(texts: tuple[str, ...]) -> list[str]:
    utterances: list[str] = []
    for text in texts:
        if text != STANDARD_INPUT:
            utterances.append(_checked(text, f"text {text[:40]!r}"))
            continue
        for number, line in enumerate(sys.stdin.buffer, start=1):
            utterances.append(
                _checked(line.rstrip(b"\r\n").decode(errors="surrogateescape"), f"line {number}")
            )
    if not utterances:
        raise InputError("standard input is empty: write one utterance a line", field="text")
    return utterances


def _checked(text: str, place: str) -> str:
    """Return the text if it is one: what was not UTF-8 has come in as half surrogate pairs."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{place} is not UTF-8: convert it", field="text") from error
    return text


def _server(context: click.Context, server: str | None) -> str | None:
    """Return the server to ask; None for the catalog. The command line decides over configuration.

    Raises:
        click.UsageError: the command line names both.
    """
    typed = {
        name: context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        for name in ("server", "catalog")
    }
    if all(typed.values()):
        raise click.UsageError("--server and --catalog exclude each other", context)
    return None if typed["catalog"] else server


def _tls(options: dict[str, Any]) -> Tls | None:
    from nlu.client import Tls

    files = [options[name] for name in ("tls_ca", "tls_certificate", "tls_key")]
    return Tls(*files) if options["tls"] or any(files) else None


def _settings(options: dict[str, Any]) -> ServerSettings:
    from nlu.server_settings import ServerSettings

    return ServerSettings(
        catalog=options["catalog"],
        backbone=options["backbone"],
        engine=options["engine"],
        device=options["device"],
        precision=options["precision"],
        threads=options["threads"],
        cache=options["cache_dir"],
    )
