from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import grpc
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from nlu.server_settings import ServerSettings
from training.doctor.access import check_certificates, check_files, check_ports
from training.doctor.finding import State

MakeSettings: TypeAlias = Callable[..., ServerSettings]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that issues a certificate for so many days, and gives the settings that name it."""

    def issue(days: float = 90) -> dict[str, Any]:
        ends = datetime.now(UTC) + timedelta(days=days)
        issued = trustme.CA().issue_cert("localhost", not_before=ends - timedelta(days=99), not_after=ends)
        files = {"tls_certificate": tmp_path / "server.pem", "tls_key": tmp_path / "server.key"}
        issued.cert_chain_pems[0].write_to_path(str(files["tls_certificate"]))
        issued.private_key_pem.write_to_path(str(files["tls_key"]))
        return files

    return issue


@contextmanager
def serving(settings: ServerSettings) -> Iterator[str]:
    """Serve health, and give the address."""
    server = grpc.server(ThreadPoolExecutor(1))
    servicer = health.HealthServicer()
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    if settings.tls is None:
        port = server.add_insecure_port("localhost:0")
    else:
        port = server.add_secure_port("localhost:0", settings.tls.credentials())
    server.start()
    yield f"localhost:{port}"
    server.stop(None).wait()


def test_ports_that_are_free(make_settings: MakeSettings) -> None:
    found = list(check_ports(make_settings(http="localhost:0", metrics="[::1]:0")))
    assert [each.state for each in found] == [State.OK] * 3


def test_a_port_that_another_program_has(make_settings: MakeSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        first, http = check_ports(make_settings(address="127.0.0.1:0", http=address))
    assert (first.state, http.state) == (State.OK, State.PROBLEM)
    assert address in http.found and "--http" in http.remedy


@pytest.mark.parametrize("tls", [False, True])
def test_a_port_that_a_server_of_ours_has(
    make_settings: MakeSettings, write: Callable[..., dict[str, Any]], tls: bool
) -> None:
    files = write() if tls else {}
    with serving(make_settings(**files)) as address:
        [same] = check_ports(make_settings(address=address, **files))
        [other] = check_ports(make_settings(address=address, **({} if tls else write())))
    assert (same.state, other.state) == (State.OK, State.PROBLEM)


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:1"])
def test_an_address_that_cannot_be_listened_on(make_settings: MakeSettings, address: str) -> None:
    [found] = check_ports(make_settings(address=address, insecure=True))
    assert found.state is State.PROBLEM


def test_without_tls_there_is_nothing_to_check(make_settings: MakeSettings) -> None:
    [found] = check_certificates(make_settings())
    assert found.state is State.OK


@pytest.mark.parametrize(
    ("days", "state", "said"),
    [
        (90, State.OK, "server.pem for localhost, until "),
        (3, State.WARNING, "until "),
        (-1, State.PROBLEM, "certificate has expired"),
        (200, State.PROBLEM, "not yet valid"),
    ],
)
def test_certificates_end(
    make_settings: MakeSettings, write: Callable[..., dict[str, Any]], days: float, state: State, said: str
) -> None:
    [found] = check_certificates(make_settings(**write(days)))
    assert (found.state, said in found.found) == (state, True), found


@pytest.mark.parametrize(("mode", "state"), [(0o600, State.OK), (0o640, State.OK), (0o644, State.WARNING)])
def test_secrets_that_others_can_read(
    make_settings: MakeSettings, write: Callable[..., dict[str, Any]], tmp_path: Path, mode: int, state: State
) -> None:
    settings = make_settings(**write())
    configuration = tmp_path / "softspoken.toml"
    configuration.touch(0o600)
    assert settings.tls_key is not None
    settings.tls_key.chmod(mode)

    [found] = check_files(settings, configuration)

    assert (found.state, "server.key" in found.remedy) == (state, state is State.WARNING)
