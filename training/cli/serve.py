"""`softspoken serve`: the gRPC server, and Rasa's HTTP API beside it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from training.cli.failures import exit_code
from training.cli.log import set_up_log
from training.cli.options import (
    FILE,
    backbone_options,
    catalog_option,
    engine_options,
    log_options,
    not_typed,
    setting,
)
from training.cli.output import print_error

if TYPE_CHECKING:
    from nlu.group_pipe import ServerEnd
    from nlu.server_settings import ServerSettings


@click.command()
@setting(
    "--address",
    default="127.0.0.1:50051",
    metavar="HOST:PORT",
    help="Port 0 takes a free one.",
)
@setting(
    "--http",
    default="",
    show_default=False,
    metavar="HOST:PORT",
    help="Answer Rasa's NLU HTTP API there, too.",
)
@setting(
    "--http-token",
    default="",
    show_default=False,
    callback=not_typed,
    help="Asked of HTTP callers. As its variable or in softspoken.toml only.",
)
@setting(
    "--metrics",
    default="",
    show_default=False,
    metavar="HOST:PORT",
    help="Tell Prometheus there how it goes; asks for no key.",
)
@setting(
    "--otlp",
    default="",
    show_default=False,
    envvar="OTEL_EXPORTER_OTLP_ENDPOINT",
    metavar="URL",
    help="Send traces to this OpenTelemetry collector, such as http://localhost:4317.",
)
@setting(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Servers on the same ports, each with its engine and its part of the CPUs (or --threads each).",
)
@setting("--tls-certificate", type=FILE, help="PEM file, with the chain.")
@setting("--tls-key", type=FILE, help="PEM file.")
@setting("--tls-client-ca", type=FILE, help="Let only clients in that this authority has certified.")
@setting("--insecure", is_flag=True, help="Plain text beyond this machine, where a proxy or a mesh encrypts.")
@setting(
    "--auth",
    type=click.Choice(["auto", "keys", "none"]),
    default="auto",
    help="Who may call: holders of API keys, or anyone; auto is keys where other machines can connect.",
)
@setting("--reflection", is_flag=True, help="Tell the methods to anyone who asks.")
@setting(
    "--training/--no-training",
    default=False,
    help="Answer TrainingService, too: whoever may call may change skills.",
)
@setting("--poll-seconds", type=float, default=0.5, help="Between looks at the catalog.")
@setting("--grace-seconds", type=float, default=10.0, help="For requests in flight at a stop.")
@setting("--queue-rows", type=int, default=1024, help="Rows that may wait; more are refused.")
@setting(
    "--queue-seconds",
    type=float,
    default=0.0,
    show_default="2.5 times what a text takes",
    help="Of work that may be ahead of a request; others are refused. Batches and streams wait.",
)
@setting("--batch-tokens", type=int, default=2048, help="Padded tokens of one batch.")
@setting(
    "--skill-memory",
    type=int,
    default=1 << 30,
    show_default="1 GiB",
    metavar="BYTES",
    help="For skills in memory; those used last stay, others are loaded when asked, in some 20 ms.",
)
@setting(
    "--row-cache",
    type=int,
    default=32 << 20,
    show_default="32 MiB",
    metavar="BYTES",
    help="For texts that come again: what was read of them stays, those used last first; 0 is none.",
)
@setting(
    "--log-utterances",
    type=click.Choice(["none", "masked", "plain"]),
    default="none",
    help="Log what users say; masked is without the slots that were found, digits and addresses.",
)
@log_options
@catalog_option
@backbone_options
@engine_options
def serve(log_level: str, log_format: str, cache_dir: Any, **settings: Any) -> None:
    """Answer over gRPC with the catalog's live skills, until SIGTERM or Ctrl-C.

    Versions that are published or promoted meanwhile are served within 2 s. Prints "serving on HOST:PORT"
    once requests are answered. Without TLS, only this machine can connect unless --insecure is given.
    """
    from nlu.server_settings import ServerSettings

    set_up_log(log_level, log_format)
    checked = ServerSettings(cache=cache_dir, **settings)
    if checked.shares_ports:
        from nlu.server_group import ServerGroup
        from nlu.stop_signal import StopSignal

        group = ServerGroup(checked, partial(_serve_in_group, log_level, log_format))
        raise click.exceptions.Exit(group.run(StopSignal(), _print_addresses))
    _serve(checked, ready=_print_addresses)


def _serve_in_group(log_level: str, log_format: str, settings: ServerSettings, group: ServerEnd) -> None:
    """Serve in a process of its own, beside others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the group, too, which sends SIGTERM
    group.follow()
    set_up_log(log_level, log_format)
    try:
        _serve(settings, ready=group.ready, publish=group.publish)
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        print_error(str(error))
        sys.exit(code)


def _serve(settings: ServerSettings, **ends: Any) -> None:
    import uvloop

    from nlu.server import serve as serve_until_stopped
    from training.submission import check_submission

    uvloop.run(serve_until_stopped(settings, check_training=check_submission, **ends))


def _print_addresses(addresses: Sequence[str]) -> None:
    for address in addresses:
        click.echo(f"serving on {address}")
