"""TLS on a real socket, with real certificates that rotate."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
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
    replace(files.key, issued.private_key_pem.bytes())
    return replace(files.certificate, issued.cert_chain_pems[0].bytes())


def replace(file: Path, data: bytes) -> int:
    new = file.with_suffix(".new")
    new.write_bytes(data)
    os.replace(new, file)
    return serial(data) if b"CERTIFICATE" in data else 0


def serial(certificate: bytes) -> int:
    return x509.load_pem_x509_certificate(certificate).serial_number


@asynccontextmanager
async def serving(files: TlsFiles) -> AsyncIterator[int]:
    """Serve health with the files, and give the port."""
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_secure_port("localhost:0", files.credentials())
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def check(port: int, authority: trustme.CA, issued: trustme.LeafCert | None = None) -> int:
    """Ask on a connection of its own, with a client certificate if there is one."""
    credentials = grpc.ssl_channel_credentials(
        authority.cert_pem.bytes(),
        None if issued is None else issued.private_key_pem.bytes(),
        None if issued is None else issued.cert_chain_pems[0].bytes(),
    )
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials, options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int((await stub.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)).status)


async def served(port: int) -> int:
    """The serial number of the certificate that a new connection gets."""
    pem = await asyncio.to_thread(ssl.get_server_certificate, ("localhost", port), timeout=SECONDS)
    return serial(pem.encode())


@pytest.mark.asyncio
async def test_a_new_certificate_is_used_without_a_restart(files: TlsFiles, authority: trustme.CA) -> None:
    first = serial(files.certificate.read_bytes())
    async with serving(files) as port:
        assert await served(port) == first
        second = write(files, authority)
        assert await served(port) == second != first
        assert await check(port, authority) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.asyncio
async def test_a_rotation_by_halves_keeps_the_last_certificate(
    files: TlsFiles, authority: trustme.CA, caplog: pytest.LogCaptureFixture
) -> None:
    first = serial(files.certificate.read_bytes())
    issued = authority.issue_cert("localhost")
    async with serving(files) as port:
        replace(files.certificate, issued.cert_chain_pems[0].bytes())  # its key is not there yet
        assert await served(port) == first
        assert "the last ones go on" in caplog.text
        files.certificate.unlink()
        assert await served(port) == first
        replace(files.certificate, b"no certificate")
        assert await served(port) == first
        second = replace(files.certificate, issued.cert_chain_pems[0].bytes())
        replace(files.key, issued.private_key_pem.bytes())
        assert await served(port) == second
        assert await check(port, authority) == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.asyncio
async def test_a_new_client_authority_is_used_without_a_restart(
    tmp_path: Path, files: TlsFiles, authority: trustme.CA
) -> None:
    trusted, next_one = trustme.CA(), trustme.CA()
    files.client_ca = tmp_path / "clients.pem"
    replace(files.client_ca, trusted.cert_pem.bytes())
    async with serving(files) as port:
        assert await check(port, authority, trusted.issue_cert("client"))
        for stranger in (None, next_one.issue_cert("client")):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await check(port, authority, stranger)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

        replace(files.client_ca, next_one.cert_pem.bytes())

        assert await check(port, authority, next_one.issue_cert("client"))
        with pytest.raises(grpc.aio.AioRpcError):
            await check(port, authority, trusted.issue_cert("client"))
        with pytest.raises(grpc.aio.AioRpcError):
            await check(port, authority)


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


@pytest.mark.parametrize("spoil", [missing, empty, another_key, encrypted])
def test_files_that_cannot_be_used_are_an_error_at_the_start(files: TlsFiles, spoil: Any) -> None:
    spoil(files)
    secret = files.key.read_text()
    with pytest.raises(InputError, match=r"server\.(pem|key)") as caught:
        files.credentials()
    assert caught.value.field == "tls_certificate"
    assert not secret or secret.splitlines()[1] not in str(caught.value)
