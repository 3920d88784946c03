"""How callers get in: ports, certificates, and who else can read what is secret."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nlu.port import listen
from nlu.server_settings import ServerSettings
from nlu.tls import TlsFiles
from skills.errors import InputError
from storage.database import Database
from training.doctor.finding import Finding, ok, problem, warning

SECONDS = 2.0  # for an answer of who listens
EXPIRY_DAYS = 14
OTHERS = 0o007  # permissions of users who are neither the owner nor in the group


def check_ports(settings: ServerSettings) -> Iterator[Finding]:
    """Whether addresses can be listened on, or a server of ours does so already."""
    running = False
    for name in ("address", "http", "metrics"):
        address = getattr(settings, name)
        if not address or address.startswith("unix"):
            continue
        try:
            listen(address, field=name).close()
            yield ok("port", f"{address} is free")
        except InputError as error:
            running = running or (name == "address" and _is_served(address, settings.tls))
            if running:
                yield ok("port", f"{address} is taken: a server runs here already")
            else:
                yield problem("port", str(error), f"free it, or give --{name} another HOST:PORT")


def _is_served(address: str, tls: TlsFiles | None) -> bool:
    """Whether a server answers there that says it serves or, with TLS, has our certificate."""
    host, _, port = address.rpartition(":")
    if tls is not None:
        with suppress(OSError, ValueError):
            there = ssl.get_server_certificate((host.strip("[]"), int(port)), timeout=SECONDS)
            return there.strip() in tls.certificate.read_text()
        return False
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def check_certificates(settings: ServerSettings) -> Iterator[Finding]:
    """Whether a handshake with the files works, and for how long it will."""
    tls = settings.tls
    if tls is None:
        yield ok("certificates", "none: plain text")
        return
    tls.context()  # with the client CA, which the handshake leaves out
    try:
        certificate = _handshake(replace(tls, client_ca=None))
    except ssl.SSLError as error:
        yield problem("certificates", f"{tls.certificate}: {error.reason}: {error}", "have a new one issued")
        return
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    names = ", ".join(value for _, value in certificate.get("subjectAltName", ()))
    found = f"{tls.certificate} for {names or 'no name'}, until {ends:%Y-%m-%d}"
    if (ends - datetime.now(UTC)).days < EXPIRY_DAYS:
        yield warning("certificates", found, "replace the files soon: servers follow them without a restart")
    elif not names:
        yield warning("certificates", found, "clients want a subjectAltName: have one issued that has it")
    else:
        yield ok("certificates", found)


def _handshake(tls: TlsFiles) -> dict[str, Any]:
    """Return the certificate as a client that trusts it sees it, after a handshake in memory."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # its authority is not in the file
    client.load_verify_locations(tls.certificate)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(to_client, to_server),
        tls.context().wrap_bio(to_server, to_client, server_side=True),
    )
    for side in sides * 3:
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    return sides[0].getpeercert() or {}


def check_files(settings: ServerSettings, configuration: Path | None) -> Iterator[Finding]:
    """Whether other users can read or change what is secret."""
    secret = (settings.tls_key, configuration, Database(settings.catalog).path)
    files = [file for file in secret if file is not None and file.exists()]
    open_files = [str(file) for file in files if file.stat().st_mode & OTHERS]
    if open_files:
        yield warning(
            "files",
            f"every user of this machine can read {', '.join(open_files)}",
            f"chmod o-rwx {' '.join(open_files)}",
        )
    else:
        yield ok("files", f"{', '.join(map(str, files)) or 'none that are secret'}: not open to other users")
