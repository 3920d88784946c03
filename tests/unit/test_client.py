from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.duration_pb2 import Duration

from nlu.client import (
    AsyncClient,
    Client,
    ClientError,
    DeadlineError,
    InvalidRequestError,
    OverloadedError,
    ParseRequest,
    ServerError,
    SkillRefusedError,
    Tls,
    UnauthenticatedError,
    UnavailableError,
    UnknownSkillError,
)
from nlu.client_wire import read_result, read_skills
from nlu.v1 import nlu_pb2, nlu_pb2_grpc

SECONDS = 30.0  # a test that waits for longer has failed
REPOSITORY = Path(__file__).parents[2]

ANSWER = nlu_pb2.ParseResponse(request_id="abc")
RESULT = read_result(ANSWER)
LIST = nlu_pb2.ListSkillsResponse(revision=7)
SKILLS = read_skills(LIST)


class Servicer(nlu_pb2_grpc.NluServiceServicer):
    """Answers as the constants above, after failing as often as it was told to; keeps what it got."""

    def __init__(self) -> None:
        self.failures: list[tuple[grpc.StatusCode, tuple[tuple[str, Any], ...]]] = []
        self.requests: list[Any] = []
        self.metadata: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()

    def fail(
        self, code: grpc.StatusCode, *, times: int = 1, trailers: tuple[tuple[str, Any], ...] = ()
    ) -> None:
        self.failures += [(code, trailers)] * times

    def _note(self, request: Any, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        assert self.gate.wait(SECONDS)
        if self.failures:
            code, trailers = self.failures.pop(0)
            context.set_trailing_metadata(trailers)
            context.abort(code, "told to fail")

    def Parse(self, request: nlu_pb2.ParseRequest, context: grpc.ServicerContext) -> nlu_pb2.ParseResponse:
        self._note(request, context)
        return ANSWER

    def BatchParse(
        self, request: nlu_pb2.BatchParseRequest, context: grpc.ServicerContext
    ) -> nlu_pb2.BatchParseResponse:
        self._note(request, context)
        status = nlu_pb2.ItemStatus(code=3, message="too long", field="text")
        items = [nlu_pb2.BatchParseItem(response=ANSWER), nlu_pb2.BatchParseItem(status=status)]
        return nlu_pb2.BatchParseResponse(items=items)

    def StreamParse(
        self, requests: Iterator[nlu_pb2.StreamParseRequest], context: grpc.ServicerContext
    ) -> Iterator[nlu_pb2.StreamParseResponse]:
        for index, request in enumerate(requests):
            self._note(request, context)
            status = nlu_pb2.ItemStatus(code=14 * (index % 2), message="stopping")
            item = nlu_pb2.BatchParseItem(status=status, response=ANSWER)
            yield nlu_pb2.StreamParseResponse(request_id=f"item {index}", index=index, item=item)

    def ListSkills(
        self, request: nlu_pb2.ListSkillsRequest, context: grpc.ServicerContext
    ) -> nlu_pb2.ListSkillsResponse:
        self._note(request, context)
        return LIST

    def GetSkill(
        self, request: nlu_pb2.GetSkillRequest, context: grpc.ServicerContext
    ) -> nlu_pb2.GetSkillResponse:
        self._note(request, context)
        return nlu_pb2.GetSkillResponse(stored_bytes=1000)

    def WatchSkills(
        self, request: nlu_pb2.WatchSkillsRequest, context: grpc.ServicerContext
    ) -> Iterator[nlu_pb2.WatchSkillsResponse]:
        yield nlu_pb2.WatchSkillsResponse(skills=LIST)
        self._note(request, context)


@contextmanager
def listening(
    servicer: Servicer, *, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
) -> Iterator[str]:
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        nlu_pb2_grpc.add_NluServiceServicer_to_server(servicer, server)
        port = (
            server.add_insecure_port(address)
            if credentials is None
            else server.add_secure_port(address, credentials)
        )
        server.start()
        try:
            yield f"{address.rpartition(':')[0]}:{port}"
        finally:
            servicer.gate.set()
            server.stop(None).wait(SECONDS)


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture
def address(servicer: Servicer) -> Iterator[str]:
    with listening(servicer) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    with Client(address) as made:
        yield made


def item_status(**fields: Any) -> tuple[tuple[str, Any], ...]:
    status = nlu_pb2.ItemStatus(**fields)
    return (("softspoken-status-bin", status.SerializeToString()), ("x-request-id", "abc"))


def pushback(milliseconds: int) -> tuple[str, str]:
    """When a server says to try again; -1 is not."""
    return ("grpc-retry-pushback-ms", str(milliseconds))


def test_every_method_gives_what_the_server_says(client: Client) -> None:
    good, bad = client.batch_parse(["hello", "x"])
    streamed = dict(client.stream_parse(["one", "two"]))
    assert client.parse("hello") == good == streamed[0] == RESULT
    assert isinstance(bad, InvalidRequestError) and isinstance(streamed[1], UnavailableError)
    assert client.list_skills() == SKILLS
    assert client.get_skill("alpha").stored_bytes == 1000
    assert list(client.watch_skills()) == [SKILLS]


# errors


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequestError),
        (grpc.StatusCode.NOT_FOUND, UnknownSkillError),
        (grpc.StatusCode.FAILED_PRECONDITION, SkillRefusedError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineError),
        (grpc.StatusCode.UNAUTHENTICATED, UnauthenticatedError),
        (grpc.StatusCode.INTERNAL, ServerError),
        (grpc.StatusCode.UNIMPLEMENTED, ServerError),
    ],
)
def test_a_status_becomes_an_error_of_ours_and_is_not_tried_again(
    client: Client, servicer: Servicer, code: grpc.StatusCode, expected: type[ClientError]
) -> None:
    servicer.fail(code)
    with pytest.raises(expected, match="told to fail") as caught:
        client.parse("hello")
    assert type(caught.value) is expected
    assert len(servicer.requests) == 1


def test_an_error_carries_what_the_server_says_of_it(client: Client, servicer: Servicer) -> None:
    status = item_status(code=8, message="full", field="text", retry_after=Duration(nanos=250_000_000))
    servicer.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, trailers=(*status, pushback(-1)))
    with pytest.raises(OverloadedError, match=r"^full$") as caught:
        client.parse("hello")
    assert (caught.value.request_id, caught.value.field, caught.value.retry_after) == ("abc", "text", 0.25)


def test_a_refused_call_is_tried_again_when_the_server_says(client: Client, servicer: Servicer) -> None:
    servicer.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, trailers=(pushback(1),), times=3)
    assert client.parse("hello") == RESULT


def test_a_stream_that_fails_raises_after_what_it_answered(client: Client, servicer: Servicer) -> None:
    servicer.fail(grpc.StatusCode.INTERNAL, trailers=item_status(code=13, message="broken"))
    watch = client.watch_skills()
    assert next(watch) == SKILLS
    with pytest.raises(ServerError, match="broken"):
        next(watch)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
@pytest.mark.parametrize(("failures", "succeeds"), [(1, True), (3, True), (4, False)])
def test_a_server_that_stops_or_is_not_there_is_tried_four_times(
    client: Client, servicer: Servicer, code: grpc.StatusCode, failures: int, succeeds: bool
) -> None:
    servicer.fail(code, times=failures)
    if succeeds:
        assert client.parse("hello") == RESULT
    else:
        with pytest.raises(UnavailableError):
            client.parse("hello")
    assert len(servicer.requests) == min(failures + 1, 4)


def test_an_address_where_nobody_listens_is_unavailable(servicer: Servicer) -> None:
    with listening(servicer) as address:
        pass
    with Client(address) as client, pytest.raises(UnavailableError):
        client.parse("hello")


@pytest.mark.parametrize("of_call", [False, True])
def test_a_call_ends_at_its_deadline(address: str, servicer: Servicer, of_call: bool) -> None:
    servicer.gate.clear()
    with Client(address, timeout=SECONDS if of_call else 0.05) as client, pytest.raises(DeadlineError):
        client.parse("hello", timeout=0.05 if of_call else None)


# connections


def test_threads_share_one_client(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(client.parse, ["hello"] * 64))
    assert results == [RESULT] * 64


def test_waiting_for_a_server_ends_when_it_is_there(servicer: Servicer) -> None:
    with listening(Servicer()) as address:
        pass
    servicer.fail(grpc.StatusCode.UNAVAILABLE, times=5)  # still loading: more often than one call tries
    with Client(address) as client, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.wait_until_ready, SECONDS)
        with listening(servicer, address=address):
            waiting.result(SECONDS)
    assert len(servicer.requests) == 6


def test_waiting_for_a_server_that_never_comes_ends(servicer: Servicer) -> None:
    with listening(servicer) as address:
        pass
    with (
        Client(address) as client,
        pytest.raises(UnavailableError, match=re.escape(f"{address} within 0.1 s")),
    ):
        client.wait_until_ready(0.1)


def test_the_api_key_travels_as_a_bearer_token(address: str, servicer: Servicer) -> None:
    with Client(address, api_key="secret") as client:
        client.parse("hello")
        assert "secret" not in repr(vars(client))
    assert servicer.metadata[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize("make", [Client, AsyncClient])
def test_the_api_key_is_never_sent_in_plain_text_to_another_machine(
    make: type[Client] | type[AsyncClient],
) -> None:
    with pytest.raises(InvalidRequestError, match=r"10\.0\.0\.1:50051 in plain text") as caught:
        make("10.0.0.1:50051", api_key="secret")
    assert "secret" not in str(caught.value)


def test_tls_with_certificates_on_both_sides(tmp_path: Path, servicer: Servicer) -> None:
    authority = trustme.CA()
    ca, certificate, key = (tmp_path / name for name in ("ca.pem", "certificate.pem", "key.pem"))
    authority.cert_pem.write_to_path(str(ca))
    own = authority.issue_cert("client.example")
    own.cert_chain_pems[0].write_to_path(str(certificate))
    own.private_key_pem.write_to_path(str(key))
    server = authority.issue_cert("localhost")
    credentials = grpc.ssl_server_credentials(
        [(server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())], ca.read_bytes(), True
    )

    with listening(servicer, address="localhost:0", credentials=credentials) as address:
        with Client(address, tls=Tls(ca, certificate, key), api_key="secret") as client:
            assert client.parse("hello") == RESULT
        with Client(address, tls=Tls(ca)) as stranger, pytest.raises(UnavailableError):
            stranger.parse("hello")
        with Client(address, tls=Tls()) as distrustful, pytest.raises(UnavailableError):
            distrustful.parse("hello")
    assert servicer.metadata[0]["authorization"] == "Bearer secret"


def test_a_tls_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"missing\.pem"):
        Client("localhost:1", tls=Tls(tmp_path / "missing.pem"))


# asyncio


async def numbered(*texts: str) -> AsyncIterator[ParseRequest | str]:
    for text in texts:
        yield text


@pytest.mark.asyncio
async def test_the_asyncio_client_does_the_same(address: str, servicer: Servicer) -> None:
    async with AsyncClient(address, api_key="secret") as client:
        await client.wait_until_ready(SECONDS)
        assert await client.parse("hello") == RESULT
        good, bad = await client.batch_parse(["hello", "x"])
        assert good == RESULT and isinstance(bad, InvalidRequestError)
        streamed = {index: answer async for index, answer in client.stream_parse(numbered("one", "two"))}
        assert streamed[0] == RESULT and isinstance(streamed[1], UnavailableError)
        assert await client.list_skills() == SKILLS
        assert (await client.get_skill("alpha")).stored_bytes == 1000
        assert [skills async for skills in client.watch_skills()] == [SKILLS]
    assert {each["authorization"] for each in servicer.metadata} == {"Bearer secret"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda client: client.parse("hello"), OverloadedError),
        (lambda client: anext(client.stream_parse(numbered("hello"))), OverloadedError),
    ],
)
async def test_the_asyncio_client_raises_the_same_errors(
    address: str, servicer: Servicer, call: Callable[[AsyncClient], Any], expected: type[ClientError]
) -> None:
    trailers = (*item_status(code=8, message="full"), pushback(-1))
    servicer.fail(grpc.StatusCode.RESOURCE_EXHAUSTED, trailers=trailers)
    async with AsyncClient(address) as client:
        with pytest.raises(expected, match="full"):
            await call(client)


@pytest.mark.asyncio
async def test_the_asyncio_client_retries_and_waits(address: str, servicer: Servicer) -> None:
    servicer.fail(grpc.StatusCode.UNAVAILABLE, times=5)
    async with AsyncClient(address) as client:
        await client.wait_until_ready(SECONDS)
        results = await asyncio.gather(*(client.parse("hello") for _ in range(32)))
    assert results == [RESULT] * 32


@pytest.mark.asyncio
async def test_the_asyncio_client_gives_up_waiting(servicer: Servicer) -> None:
    with listening(servicer) as address:
        pass
    async with AsyncClient(address) as client:
        with pytest.raises(UnavailableError, match=re.escape(address)):
            await client.wait_until_ready(0.1)


# what it needs


BLOCKED = ("alembic", "google.rpc", "grpc_status", "numpy", "pydantic", "skills", "sqlalchemy", "storage")
ONLY_CLIENT = f"""
import sys
for name in {(*BLOCKED, "torch", "transformers", "typer", "yaml")!r}:
    sys.modules[name] = None  # an import of it now fails
import nlu.client
own = sorted(name for name in sys.modules if name.startswith("nlu") and sys.modules[name] is not None)
sys.stdout.write(" ".join(own))
"""


def test_the_client_needs_only_grpc_protobuf_and_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONLY_CLIENT], cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    client_modules = {
        "client",
        "client_connection",
        "client_errors",
        "client_thread",
        "client_types",
        "client_wire",
        "address",
    }
    stubs = {"nlu.v1", "nlu.v1.nlu_pb2", "nlu.v1.nlu_pb2_grpc"}
    assert set(done.stdout.split()) == {"nlu", *stubs, *(f"nlu.{name}" for name in client_modules)}
