"""TLS on a real socket, with real certificates that rotate."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from starlette.responses import Response

from nlu.http.server import serving_http
from nlu.tls import TlsFiles
from skills.errors import InputError

SECONDS = 30.0  # a test that waits for longer has failed


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(tmp_path: Path, authority: trustme.CA) -> TlsFiles:
    """The files of a server, and a certificate in them."""
    made = TlsFiles(tmp_path / "server.pem", tmp_path / "server.key")
    write(made, authority)
    return made


def write(files: TlsFiles, authority: trustme.CA) -> int:
    """Put a new certificate into the files, as those who rotate them do, and return its serial number."""
    issued = authority.issue_cert("localhost")
    put(files.key, issued.private_key_pem.bytes())
    return put(files.certificate, issued.cert_chain_pems[0].bytes())


def put(file: Path, data: bytes) -> int:
    new = file.with_suffix(".new")
    new.write_bytes(data)
    os.replace(new, file)
    return serial(data) if b"CERTIFICATE" in data else 0


def serial(certificate: bytes) -> int:
    return x509.load_pem_x509_certificate(certificate).serial_number


@asynccontextmanager
async def serving_grpc(files: TlsFiles) -> AsyncIterator[int]:
    """Serve health with the files, and give the port."""
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_secure_port("localhost:0", files.credentials())
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def check_grpc(port: int, authority: trustme.CA, issued: trustme.LeafCert | None = None) -> None:
    """Ask on a connection of its own, with a client certificate if there is one."""
    credentials = grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(),
        None if issued is None else issued.private_key_pem.bytes(),
        None if issued is None else issued.cert_chain_pems[0].bytes(),
    )
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials, options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)


@asynccontextmanager
async def serving_https(files: TlsFiles) -> AsyncIterator[int]:
    """Serve nothing in particular with the files, and give the port."""
    async with serving_http(Response("hello"), "localhost:0", grace_seconds=1, tls=files) as url:
        yield httpx.URL(url).port or 0


async def check_https(port: int, authority: trustme.CA, issued: trustme.LeafCert | None = None) -> None:
    """What `check_grpc` does."""
    context = client_context(authority, issued)
    async with httpx.AsyncClient(verify=context, timeout=SECONDS, trust_env=False) as client:
        (await client.get(f"https://localhost:{port}/")).raise_for_status()


def client_context(authority: trustme.CA, issued: trustme.LeafCert | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    if issued is not None:
        issued.configure_cert(context)
    return context


@dataclass(frozen=True)
class Door:
    """A way in: how it is served, how one asks there, and how a client that is kept out sees that."""

    serving: Callable[[TlsFiles], AbstractAsyncContextManager[int]]
    check: Callable[..., Awaitable[None]]
    refused: type[Exception]


@pytest.fixture(params=["grpc", "https"])
def door(request: pytest.FixtureRequest) -> Door:
    doors = {
        "grpc": Door(serving_grpc, check_grpc, grpc.aio.AioRpcError),
        "https": Door(serving_https, check_https, httpx.TransportError),
    }
    return doors[request.param]


async def served(port: int) -> int:
    """The serial number of the certificate that a new connection gets."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("localhost", port), timeout=SECONDS)
    return serial(pem.encode())


@pytest.mark.asyncio
async def test_a_new_certificate_is_used_without_a_restart(
    door: Door, files: TlsFiles, authority: trustme.CA
) -> None:
    first = serial(files.certificate.read_bytes())
    async with door.serving(files) as port:
        assert await served(port) == first
        second = write(files, authority)
        assert await served(port) == second != first
        await door.check(port, authority)


@pytest.mark.asyncio
async def test_a_rotation_by_halves_keeps_the_last_certificate(
    door: Door, files: TlsFiles, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    first = serial(files.certificate.read_bytes())
    issued = authority.issue_cert("localhost")
    async with door.serving(files) as port:
        put(files.certificate, issued.cert_chain_pems[0].bytes())  # its key is not there yet
        assert await served(port) == first
        assert "the last ones go on" in caplog.text
        files.certificate.unlink()
        assert await served(port) == first
        put(files.certificate, b"no certificate")
        assert await served(port) == first
        second = put(files.certificate, issued.cert_chain_pems[0].bytes())
        put(files.key, issued.private_key_pem.bytes())
        assert await served(port) == second
        await door.check(port, authority)


@pytest.mark.asyncio
async def test_a_new_client_authority_is_used_without_a_restart(
    door: Door, tmp_path: Path, files: TlsFiles, authority: trustme.CA
) -> None:
    trusted, next_one = trustme.CA(), trustme.CA()
    clients = tmp_path / "clients.pem"
    put(clients, trusted.cert_pem.bytes())
    async with door.serving(replace(files, client_ca=clients)) as port:
        await door.check(port, authority, trusted.issue_cert("client"))
        for stranger in (None, next_one.issue_cert("client")):
            with pytest.raises(door.refused):
                await door.check(port, authority, stranger)

        put(clients, next_one.cert_pem.bytes())

        await door.check(port, authority, next_one.issue_cert("client"))
        for stranger in (None, trusted.issue_cert("client")):
            with pytest.raises(door.refused):
                await door.check(port, authority, stranger)


@pytest.mark.asyncio
async def test_a_client_of_the_replaced_authority_cannot_resume_its_session(
    tmp_path: Path, files: TlsFiles, authority: trustme.CA
) -> None:
    trusted, clients = trustme.CA(), tmp_path / "clients.pem"
    put(clients, trusted.cert_pem.bytes())
    context = client_context(authority, trusted.issue_cert("client"))

    def ask(port: int, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
        with socket.create_connection(("localhost", port), SECONDS) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if not connection.recv(1):
                    raise ConnectionError("the server hung up")
                return connection.session

    async with serving_https(replace(files, client_ca=clients)) as port:
        session = await asyncio.to_thread(ask, port)
        put(clients, trustme.CA().cert_pem.bytes())
        with pytest.raises(OSError):  # a hang-up, or an alert
            await asyncio.to_thread(ask, port, session)


@pytest.mark.asyncio
async def test_client_certificates_want_a_tls_that_does_not_resume_sessions(
    tmp_path: Path, files: TlsFiles, authority: trustme.CA
) -> None:
    clients = tmp_path / "clients.pem"
    put(clients, authority.cert_pem.bytes())
    context = client_context(authority, authority.issue_cert("client"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving_https(replace(files, client_ca=clients)) as port:
        with pytest.raises(httpx.TransportError):
            async with httpx.AsyncClient(verify=context, timeout=SECONDS, trust_env=False) as client:
                await client.get(f"https://localhost:{port}/")


def missing(files: TlsFiles) -> None:
    files.certificate.unlink()


def empty(files: TlsFiles) -> None:
    files.key.write_bytes(b"")


def another_key(files: TlsFiles) -> None:
    files.key.write_bytes(trustme.CA().issue_cert("localhost").private_key_pem.bytes())


def encrypted(files: TlsFiles) -> None:
    key = load_pem_private_key(files.key.read_bytes(), None)
    encryption = BestAvailableEncryption(b"password")
    files.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


@pytest.mark.parametrize("make", [TlsFiles.credentials, TlsFiles.context])
@pytest.mark.parametrize("spoil", [missing, empty, another_key, encrypted])
def test_files_that_cannot_be_used_are_an_error_at_the_start(files: TlsFiles, spoil: Any, make: Any) -> None:
    spoil(files)
    secret = files.key.read_text()
    with pytest.raises(InputError, match=r"server\.(pem|key)") as caught:
        make(files)
    assert caught.value.field == "tls_certificate"
    assert not secret or secret.splitlines()[1] not in str(caught.value)
