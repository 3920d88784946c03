from __future__ import annotations

import math
import socket
from pathlib import Path
from typing import Any

import pytest

from nlu.server import serve
from nlu.server_settings import ServerSettings
from skills.errors import CatalogError, InputError

CERTIFICATE, KEY = Path("certificate.pem"), Path("key.pem")


def settings(**changes: Any) -> ServerSettings:
    return ServerSettings(**{"catalog": "sqlite:///catalog.db", "address": "127.0.0.1:0", **changes})


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"queue_rows": 0}, "queue_rows"),
        ({"queue_seconds": -1.0}, "queue_seconds"),
        ({"skill_memory": -1}, "skill_memory"),
        ({"batch_tokens": 255}, "batch_tokens"),
        ({"grace_seconds": -1.0}, "grace_seconds"),
        ({"grace_seconds": math.nan}, "grace_seconds"),
        ({"poll_seconds": 0.0}, "poll_seconds"),
        ({"poll_seconds": math.nan}, "poll_seconds"),
        ({"tls_certificate": CERTIFICATE}, "tls_certificate"),
        ({"tls_key": KEY}, "tls_certificate"),
        ({"tls_client_ca": CERTIFICATE}, "tls_client_ca"),
        ({"address": "0.0.0.0:50051"}, "address"),
        ({"address": "[::]:50051"}, "address"),
        ({"address": "nlu.example.com:50051"}, "address"),
        ({"http": "0.0.0.0:5005"}, "http"),
        ({"auth": "password"}, "auth"),
    ],
)
def test_settings_that_do_not_work_are_refused_by_name(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        settings(**wrong)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "right",
    [
        {"address": "localhost:0"},
        {"address": "unix:/run/softspoken.sock"},
        {"address": "0.0.0.0:50051", "insecure": True},
        {"address": "0.0.0.0:50051", "tls_certificate": CERTIFICATE, "tls_key": KEY},
    ],
)
def test_other_machines_are_served_with_tls_or_when_asked_for_by_name(right: dict[str, Any]) -> None:
    assert settings(**right).address == right["address"]


@pytest.mark.parametrize(
    ("changes", "needs_keys"),
    [
        ({}, False),
        ({"auth": "keys"}, True),
        ({"address": "unix:/run/softspoken.sock"}, False),
        ({"address": "0.0.0.0:50051", "insecure": True}, True),
        ({"address": "0.0.0.0:50051", "tls_certificate": CERTIFICATE, "tls_key": KEY}, True),
        ({"http": "0.0.0.0:5005", "insecure": True}, True),
        ({"address": "0.0.0.0:50051", "insecure": True, "auth": "none"}, False),
    ],
)
def test_other_machines_need_keys_unless_none_are_asked_for_by_name(
    changes: dict[str, Any], needs_keys: bool
) -> None:
    assert settings(**changes).needs_keys is needs_keys


def test_the_token_of_http_is_not_shown() -> None:
    assert "s3cret" not in repr(settings(http="127.0.0.1:0", http_token="s3cret"))  # noqa: S106 - of a test


@pytest.mark.asyncio
async def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(InputError, match=f"cannot listen on {address}") as caught:
            await serve(settings(address=address))
    assert caught.value.field == "address"


@pytest.mark.asyncio
async def test_a_tls_file_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = settings(tls_certificate=tmp_path / "missing.pem", tls_key=tmp_path / "missing.key")
    with pytest.raises(InputError, match=r"missing\.(pem|key)"):
        await serve(missing)


@pytest.mark.asyncio
async def test_a_catalog_that_cannot_be_opened_ends_the_server(tmp_path: Path) -> None:
    with pytest.raises(CatalogError):
        await serve(settings(catalog=f"sqlite:///{tmp_path / 'missing' / 'catalog.db'}"))
