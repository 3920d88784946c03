"""`softspoken serve --http` as a process: Rasa's requests, the token, HTTPS, and a stop amid requests."""

from __future__ import annotations

import json
import os
import select
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from nlu.backbone import Backbone
from nlu.cache import default_cache
from nlu.client import Client
from nlu.rasa.answer import entities_of, ranking_of
from skills.skill import SkillDraft, SkillKind
from storage.catalog import Catalog

SECONDS = 120.0  # for a start on a busy machine
REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())
CALLERS = 32
TEXT = "the same long sentence over and over again " * 20
TOKEN = "of-the-test"  # noqa: S105


@pytest.fixture
def catalog(tmp_path: Path, make_draft: Callable[..., SkillDraft]) -> str:
    """The URL of a catalog with one live skill of intents and slots."""
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    opened = Catalog.open(url)
    opened.publish(make_draft(Backbone.load(cache=CACHE), "travel", SkillKind.JOINT), alias="live")
    opened.close()
    return url


@contextmanager
def serving(catalog: str, *options: str, **variables: str) -> Iterator[tuple[str, str, Any]]:
    """Run the command; yields the addresses of gRPC and HTTP, and the process, stopped at the end."""
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "serve", "--catalog", catalog]
    command += ["--cache-dir", str(CACHE), "--threads", "1", "--precision", "float32", *options]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=os.environ | variables, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            grpc, http = (process.stdout.readline().removeprefix("serving on ").strip() for _ in range(2))
            assert http, f"the server ended with exit code {process.wait(SECONDS)}"
            yield grpc, http, process
        finally:
            process.terminate()
            process.wait(SECONDS)


def test_what_rasa_sends_is_answered_as_over_grpc(catalog: str) -> None:
    text = "Ann goes to New York \N{GRINNING FACE}"
    options = ("--address", "127.0.0.1:0", "--http", "127.0.0.1:0")
    with serving(catalog, *options, SOFTSPOKEN_SERVE_HTTP_TOKEN=TOKEN) as (address, url, _):
        with httpx.Client(base_url=url, timeout=SECONDS, trust_env=False) as rasa:
            health = rasa.get("/healthz")
            body = {"token": TOKEN, "text": text, "message_id": "ann"}  # RasaNLUHttpInterpreter's
            answer = rasa.post("/model/parse", json=body).json()
            stranger = rasa.post("/model/parse", json=body | {"token": None})
            status = rasa.get("/status", params={"token": TOKEN}).json()
        with Client(address, timeout=SECONDS) as client:
            seen = client.parse(text)

    assert health.json() == {"status": "ok"}
    assert stranger.status_code == httpx.codes.UNAUTHORIZED
    assert status["model_file"] == "travel@1"
    assert answer["text"] == text
    assert answer["entities"] == [{**each, "extractor": "SoftspokenNLU"} for each in entities_of(seen)]
    assert [each["name"] for each in answer["intent_ranking"]] == [
        each["name"] for each in ranking_of(seen, 10)
    ]
    for entity in answer["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["raw"]


def test_a_stop_answers_what_is_in_flight(catalog: str) -> None:
    options = ("--address", "127.0.0.1:0", "--http", "127.0.0.1:0", "--grace-seconds", str(SECONDS))
    with serving(catalog, *options) as (_, url, process):
        place = httpx.URL(url)
        connections = [HTTPConnection(place.host, place.port, timeout=SECONDS) for _ in range(CALLERS)]
        for connection in connections:
            connection.request("POST", "/model/parse", json.dumps({"text": TEXT}))
        # Sent after them: once it is answered, they are there.
        assert httpx.get(f"{url}/healthz", timeout=SECONDS, trust_env=False).status_code == httpx.codes.OK

        process.send_signal(signal.SIGTERM)

        answered, _, _ = select.select([connection.sock for connection in connections], [], [], 0)
        assert len(answered) < CALLERS
        assert [connection.getresponse().status for connection in connections] == [200] * CALLERS
        assert process.wait(SECONDS) == 0
        for connection in connections:
            connection.close()


def test_with_tls_it_is_https_and_every_port_follows_the_files(tmp_path: Path, catalog: str) -> None:
    authority, files = trustme.CA(), {name: tmp_path / f"{name}.pem" for name in ("certificate", "key")}
    trusted = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    options = ["--address", "localhost:0", "--http", "localhost:0", "--metrics", "localhost:0"]
    options += ["--tls-certificate", str(files["certificate"]), "--tls-key", str(files["key"])]

    def rotate() -> str:
        issued = authority.issue_cert("localhost")
        issued.private_key_pem.write_to_path(str(files["key"]))
        issued.cert_chain_pems[0].write_to_path(str(files["certificate"]))
        return issued.cert_chain_pems[0].bytes().decode()

    first = rotate()
    with serving(catalog, *options) as (address, url, process):
        metrics = process.stdout.readline().removeprefix("serving on ").strip()
        ports = [httpx.URL(each).port or 0 for each in (f"https://{address}", url, metrics)]

        def served() -> set[str]:
            return {ssl.get_server_certificate(("localhost", port), timeout=SECONDS) for port in ports}

        assert served() == {first}
        second = rotate()
        assert served() == {second}
        assert url.startswith("https://localhost:")
        with httpx.Client(base_url=url, timeout=SECONDS, verify=trusted, trust_env=False) as client:
            assert client.post("/model/parse", json={"text": "hello"}).json()["text"] == "hello"
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"), timeout=SECONDS, trust_env=False)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--http", "0.0.0.0:0"], "no TLS"),
        (["--http", "localhost"], "HOST:PORT"),
        (["--http", "127.0.0.1:0", "--http-token", TOKEN], "SOFTSPOKEN_SERVE_HTTP_TOKEN"),
    ],
    ids=["plain text to others", "no port", "a secret that others can read"],
)
def test_what_would_not_do_is_refused_at_the_start(catalog: str, options: list[str], said: str) -> None:
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "serve", "--catalog", catalog]
    ended = subprocess.run(
        [*command, "--address", "127.0.0.1:0", *options],
        cwd=REPOSITORY,
        timeout=SECONDS,
        check=False,
        text=True,
        capture_output=True,
    )
    assert (ended.returncode, said in ended.stderr) == (2, True), ended.stderr
    assert TOKEN not in ended.stdout + ended.stderr
