"""API keys on a real socket, over a real catalog; what is behind them is `tests/unit/service`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as RpcStatus

from nlu.access import KeyRing, scope_of
from nlu.caller import current_caller
from nlu.interceptors import CallBoundary, Context
from nlu.v1 import nlu_pb2, nlu_pb2_grpc, training_pb2, training_pb2_grpc
from skills.api_key import KeyDraft, Scope, Token
from skills.errors import CatalogError
from storage.catalog import Catalog
from storage.keys import ApiKeys

SECONDS = 30.0  # a test that waits for longer has failed
POLL = 0.02
REVOKED_SECONDS = 2.0  # the promise: so long after, a key is of no use


class Nlu(nlu_pb2_grpc.NluServiceServicer):
    """Says who called."""

    def __init__(self) -> None:
        self.called = 0

    async def Parse(self, request: nlu_pb2.ParseRequest, context: Context) -> nlu_pb2.ParseResponse:
        self.called += 1
        return nlu_pb2.ParseResponse(request_id=current_caller().name)

    async def WatchSkills(self, request: nlu_pb2.WatchSkillsRequest, context: Context) -> None:
        await context.write(nlu_pb2.WatchSkillsResponse())
        await asyncio.Event().wait()


class Training(training_pb2_grpc.TrainingServiceServicer):
    """Answers what a key of each of the scopes may ask."""

    async def GetJob(self, request: Any, context: Context) -> training_pb2.GetJobResponse:
        return training_pb2.GetJobResponse()

    async def DeleteSkill(self, request: Any, context: Context) -> training_pb2.DeleteSkillResponse:
        return training_pb2.DeleteSkillResponse()


class Running:
    def __init__(self, channel: grpc.aio.Channel, catalog: Catalog, servicer: Nlu, keys: KeyRing) -> None:
        self.nlu: Any = nlu_pb2_grpc.NluServiceStub(channel)
        self.training: Any = training_pb2_grpc.TrainingServiceStub(channel)
        self.catalog = catalog
        self.servicer = servicer
        self.keys = keys

    async def parse(self, *metadata: tuple[str, str]) -> str:
        response = await self.nlu.Parse(nlu_pb2.ParseRequest(text="hello"), metadata=metadata)
        return str(response.request_id)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield opened
    opened.close()


@asynccontextmanager
async def serving(catalog: Catalog, keys: KeyRing | None = None) -> AsyncIterator[Running]:
    """Serve with the keys that the catalog has; with `keys`, whoever calls reads them."""
    ring, servicer = keys or KeyRing(), Nlu()
    server = grpc.aio.server(interceptors=[CallBoundary(keys=ring)])
    nlu_pb2_grpc.add_NluServiceServicer_to_server(servicer, server)
    training_pb2_grpc.add_TrainingServiceServicer_to_server(Training(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            running = Running(channel, catalog, servicer, ring)
            if keys is not None:
                yield running
            else:
                async with ring.following(catalog, POLL):
                    yield running
    finally:
        await server.stop(None)


def make(catalog: Catalog, name: str = "dialog", *scopes: Scope, **changes: Any) -> Token:
    return catalog.keys.create(KeyDraft(name, frozenset(scopes or (Scope.PARSE,)), **changes))


def bearer(token: Token) -> tuple[str, str]:
    return ("authorization", f"Bearer {token.reveal()}")


async def refused(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, SECONDS)
    return caught.value


def reason(error: grpc.aio.AioRpcError) -> str:
    status = RpcStatus.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info = ErrorInfo()
    assert any(packed.Unpack(info) for packed in status.details)
    return str(info.reason)


@pytest.mark.asyncio
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
async def test_who_has_a_key_is_known_by_its_name(catalog: Catalog, scheme: str) -> None:
    token = make(catalog)
    async with serving(catalog) as server:
        assert await server.parse(("authorization", scheme + token.reveal())) == "dialog"


@pytest.mark.asyncio
async def test_without_a_right_key_nothing_is_done(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token, other = make(catalog), make(catalog, "other")
    mixed = Token(token.id, other.secret)
    async with serving(catalog) as server:
        for metadata in (
            [],
            [("authorization", "")],
            [("authorization", token.reveal())],
            [("authorization", f"Basic {token.reveal()}")],
            [("authorization", "Bearer ssk_")],
            [("authorization", f"Bearer {token.reveal()}0")],
            [bearer(mixed)],
            [bearer(Token.new())],
            [bearer(token), bearer(token)],
            [("x-api-key", token.reveal())],
        ):
            error = await refused(server.parse(*metadata))
            assert (error.code(), reason(error)) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
            for each in (token, other):
                assert each.secret.hex() not in f"{error.details()} {error.trailing_metadata()}"
        assert server.servicer.called == 0
    for each in (token, other):
        assert each.secret.hex() not in caplog.text


@pytest.mark.asyncio
async def test_a_stranger_s_request_is_not_even_parsed(catalog: Catalog) -> None:
    token = make(catalog)
    async with serving(catalog) as server:
        call = server.nlu.Parse
        call._request_serializer = lambda _: b"\xff" * 100  # which is no message
        stranger = await refused(call(nlu_pb2.ParseRequest()))
        assert stranger.code() is grpc.StatusCode.UNAUTHENTICATED
        known = await refused(call(nlu_pb2.ParseRequest(), metadata=(bearer(token),)))
        assert known.code() is not grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.asyncio
async def test_keys_that_have_ended_are_refused_by_name(catalog: Catalog) -> None:
    revoked = make(catalog, "revoked")
    expiring = make(catalog, "expired", expires_at=datetime.now(UTC) + timedelta(seconds=1))
    catalog.keys.revoke("revoked")
    async with serving(catalog) as server:
        assert "'revoked' is revoked" in str((await refused(server.parse(bearer(revoked)))).details())
        watch = server.nlu.WatchSkills(nlu_pb2.WatchSkillsRequest(), metadata=(bearer(expiring),))
        await watch.read()
        error = await refused(watch.read())  # until it expires
        assert error.code() is grpc.StatusCode.UNAUTHENTICATED
        assert "'expired' is expired" in str((await refused(server.parse(bearer(expiring)))).details())


@pytest.mark.asyncio
async def test_a_key_is_for_its_scopes_only(catalog: Catalog) -> None:
    tokens = {scope: make(catalog, str(scope), scope) for scope in Scope}
    async with serving(catalog) as server:
        calls = {
            Scope.PARSE: (server.nlu.Parse, nlu_pb2.ParseRequest()),
            Scope.TRAIN: (server.training.GetJob, training_pb2.GetJobRequest()),
            Scope.ADMIN: (server.training.DeleteSkill, training_pb2.DeleteSkillRequest()),
        }
        for scope, token in tokens.items():
            for needed, (method, request) in calls.items():
                call = method(request, metadata=(bearer(token),))
                if scope is needed:
                    await call
                else:
                    error = await refused(call)
                    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
                    assert reason(error) == "PERMISSION_DENIED"
                    assert f"{str(scope)!r} has no scope {str(needed)!r}" in str(error.details())


def test_every_method_has_a_scope() -> None:
    """A new method needs a decision; until then it needs ADMIN."""
    found = {
        (service.name, method.name): scope_of(f"/{service.full_name}/{method.name}")
        for file in (nlu_pb2.DESCRIPTOR, training_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
        for method in service.methods
    }
    nlu = ("Parse", "BatchParse", "StreamParse", "ListSkills", "GetSkill", "WatchSkills")
    train = ("SubmitTraining", "GetJob", "ListJobs", "WatchJob", "CancelJob", "RetryJob")
    admin = ("PromoteVersion", "RollbackSkill", "DeleteSkill")
    expected = {("NluService", name): Scope.PARSE for name in nlu}
    expected |= {("TrainingService", name): Scope.TRAIN for name in train}
    expected |= {("TrainingService", name): Scope.ADMIN for name in admin}
    assert found == expected
    assert scope_of("/softspoken.nlu.v1.NewService/GetJob") is Scope.ADMIN


@pytest.mark.asyncio
async def test_a_revoked_key_stops_at_once_and_so_do_its_streams(catalog: Catalog) -> None:
    token, other = make(catalog), make(catalog, "other")
    async with serving(catalog) as server:
        watches = [
            server.nlu.WatchSkills(nlu_pb2.WatchSkillsRequest(), metadata=(bearer(each),))
            for each in (token, other)
        ]
        for watch in watches:
            await watch.read()
        await asyncio.to_thread(catalog.keys.revoke, "dialog")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(watches[0].read(), REVOKED_SECONDS)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert (await refused(server.parse(bearer(token)))).code() is grpc.StatusCode.UNAUTHENTICATED
        assert await server.parse(bearer(other)) == "other"
        assert not watches[1].done()


@pytest.mark.asyncio
async def test_a_new_key_is_known_without_a_restart(catalog: Catalog) -> None:
    async with serving(catalog) as server:
        token = await asyncio.to_thread(make, catalog)
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    assert await server.parse(bearer(token)) == "dialog"
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(POLL)


@pytest.mark.asyncio
async def test_no_key_is_right_before_the_keys_were_read(catalog: Catalog) -> None:
    token, keys = make(catalog), KeyRing()
    async with serving(catalog, keys) as server:
        assert (await refused(server.parse(bearer(token)))).code() is grpc.StatusCode.UNAVAILABLE
        assert server.servicer.called == 0


@pytest.mark.asyncio
async def test_the_last_keys_go_on_while_the_catalog_is_away(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    token = make(catalog)
    away = asyncio.Event()
    loop = asyncio.get_running_loop()

    def fail() -> int:
        loop.call_soon_threadsafe(away.set)
        raise CatalogError("the catalog is away")

    async with serving(catalog) as server:
        monkeypatch.setattr(catalog, "revision", fail)
        for _ in range(2):
            away.clear()
            await asyncio.wait_for(away.wait(), SECONDS)
            assert await server.parse(bearer(token)) == "dialog"
            assert (await refused(server.parse())).code() is grpc.StatusCode.UNAUTHENTICATED
    assert "API keys not read, those that are known go on" in caplog.text


@pytest.mark.asyncio
async def test_a_key_has_its_share_and_others_have_theirs(catalog: Catalog) -> None:
    slow, fast = make(catalog, "slow", rate=0.01), make(catalog, "fast")
    async with serving(catalog) as server:
        assert await server.parse(bearer(slow)) == "slow"
        error = await refused(server.parse(bearer(slow)))
        assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        retry = RetryInfo()
        status = RpcStatus.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
        assert any(packed.Unpack(retry) for packed in status.details)
        assert 0 < retry.retry_delay.ToTimedelta().total_seconds() <= 100
        assert [await server.parse(bearer(fast)) for _ in range(5)] == ["fast"] * 5
        await asyncio.to_thread(make, catalog, "another")  # the keys are read again, the share stays
        await asyncio.sleep(5 * POLL)
        assert (await refused(server.parse(bearer(slow)))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.asyncio
async def test_a_use_is_not_written_on_each_call(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    token = make(catalog)
    make(catalog, "unused")
    written: list[set[str]] = []
    note_use = ApiKeys.note_use

    def count(keys: ApiKeys, used: dict[str, datetime]) -> None:
        written.append(set(used))
        note_use(keys, used)

    monkeypatch.setattr(ApiKeys, "note_use", count)
    async with serving(catalog) as server:
        for _ in range(10):
            await server.parse(bearer(token))
        assert written == []
    assert written == [{token.id}]  # at the end
    dialog, unused = catalog.keys.all()
    assert dialog.used_at is not None and unused.used_at is None


@pytest.mark.asyncio
async def test_the_log_has_who_called_and_why_others_were_refused(
    catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nlu.interceptors")
    token = make(catalog, "dialog", Scope.TRAIN)
    async with serving(catalog) as server:
        await server.training.GetJob(training_pb2.GetJobRequest(), metadata=(bearer(token),))
        await refused(server.parse(bearer(token)))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0].startswith("GetJob OK") and lines[0].endswith(", key dialog")
    assert "refused: API key 'dialog' has no scope 'parse'" in lines[1]
    assert lines[2].startswith("Parse PERMISSION_DENIED")
    assert token.secret.hex() not in caplog.text
