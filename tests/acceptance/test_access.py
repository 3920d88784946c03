"""The server as a process that asks for API keys, behind certificates that rotate."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from nlu.backbone import Backbone
from nlu.client import Client, Tls, UnauthenticatedError
from skills.api_key import KeyDraft, Scope
from skills.skill import SkillDraft
from storage.catalog import Catalog
from tests.acceptance import test_server

REVOKED_SECONDS = 2.0  # the promise: so long after, a key is of no use

backbone = test_server.backbone
catalog = test_server.catalog
url = test_server.url


def test_keys_and_certificates_change_without_a_restart(
    tmp_path: Path, url: str, catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    catalog.publish(make_draft(backbone, "good"), alias="live")
    tokens = {name: catalog.keys.create(KeyDraft(name, frozenset({Scope.PARSE}))) for name in ("one", "two")}
    authority = trustme.CA()
    files = {"tls_certificate": tmp_path / "server.pem", "tls_key": tmp_path / "server.key"}
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))

    def rotate() -> str:
        issued = authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(str(files["tls_key"]))
        issued.cert_chain_pems[0].write_to_path(str(files["tls_certificate"]))
        return issued.cert_chain_pems[0].bytes().decode()

    first = rotate()
    with test_server.running(url, address="localhost:0", paths=files, auth="keys") as (address, _):
        port = int(address.rpartition(":")[2])

        def client(name: str) -> Client:
            return Client(address, tls=Tls(ca), api_key=tokens[name].reveal())

        assert ssl.get_server_certificate(("localhost", port)) == first
        with client("one") as one, client("two") as two, Client(address, tls=Tls(ca)) as nobody:
            assert len(one.parse("hello").results) == len(two.parse("hello").results) == 1
            with pytest.raises(UnauthenticatedError, match="no API key"):
                nobody.parse("hello")
            catalog.keys.revoke("one")
            revoked = time.monotonic()
            with pytest.raises(UnauthenticatedError, match=r"'one' (is revoked|has ended)"):
                while time.monotonic() < revoked + REVOKED_SECONDS:
                    one.parse("hello")
            assert len(two.parse("hello").results) == 1
        second = rotate()
        assert ssl.get_server_certificate(("localhost", port)) == second != first
        with client("two") as two:
            assert len(two.parse("hello").results) == 1
    one_key, two_key = catalog.keys.all()
    assert one_key.used_at is not None and two_key.used_at is not None
