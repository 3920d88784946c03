"""What callers do to a connection, on purpose or by dying: others are answered, and nothing stays behind."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from nlu.v1 import nlu_pb2, nlu_pb2_grpc, training_pb2, training_pb2_grpc
from tests.faults.processes import PATIENCE, Server
from tests.soon import soon

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PARSE = "/softspoken.nlu.v1.NluService/Parse"
CALLERS = 50
GROWTH = 64 << 20  # bytes that a server may take for callers who do not read


def frame(kind: int, payload: bytes, *, flags: int = 0, stream: int = 0, length: int | None = None) -> bytes:
    """An HTTP/2 frame, RFC 9113, section 4.1; `length` may be a lie."""
    size = len(payload) if length is None else length
    return size.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, b"")
NOISE = random.Random(13).randbytes(4096)  # noqa: S311 - the same in every run
MALFORMED = {
    "random bytes": NOISE,
    "HTTP/1.1": b"GET / HTTP/1.1\r\nHost: softspoken\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + NOISE[:500],
    "the preface, then random bytes": PREFACE + NOISE,
    "a length that is a lie": PREFACE + SETTINGS + frame(0, b"", stream=1, length=(1 << 24) - 1),
    "data of no stream": PREFACE + SETTINGS + frame(0, b"hello", stream=7),
    "headers that cannot be unpacked": PREFACE + SETTINGS + frame(1, NOISE[:200], flags=5, stream=1),
    "a window that overflows": PREFACE + SETTINGS + 3 * frame(8, b"\x7f\xff\xff\xff"),
    "settings of a wrong length": PREFACE + frame(4, b"12345"),
    "headers without an end": PREFACE
    + SETTINGS
    + frame(1, b"\x82", stream=1)
    + 400 * frame(9, b"", stream=1),
    "many streams opened and reset": PREFACE
    + SETTINGS
    + b"".join(
        frame(1, b"\x82", flags=4, stream=each) + frame(3, b"\0\0\0\x08", stream=each)
        for each in range(1, 2000, 2)
    ),
}


def connect(server: Server) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def vanish(connection: socket.socket) -> None:
    """Close with a reset, as the kernel of a process that was killed may do."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def until_closed(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    try:
        while part := connection.recv(1 << 16):
            received += part
    except ConnectionResetError:
        pass
    connection.close()
    return received


@pytest.fixture(autouse=True)
def _descriptors_go_back(server: Server, skill: str) -> Iterator[None]:
    before = server.process.num_fds()
    yield
    soon(lambda: server.process.num_fds() <= before + 4)  # the pool of the catalog may have grown


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_frames_harm_nobody(server: Server, skill: str, sent: bytes) -> None:
    for _ in range(5):
        with connect(server) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                until_closed(connection)
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert server.answer(skill) == 1


def test_who_connects_and_says_nothing_is_put_out(server: Server, skill: str) -> None:
    silent = [connect(server) for _ in range(CALLERS)]
    half = [connect(server) for _ in range(CALLERS)]
    for connection in half:
        connection.sendall(PREFACE[:10])
    assert server.answer(skill) == 1
    for connection in silent + half:
        until_closed(connection)


def test_who_vanishes_leaves_nothing_behind(server: Server, skill: str) -> None:
    for begun in (b"", PREFACE[:5], PREFACE + SETTINGS, PREFACE + SETTINGS + frame(1, b"\x82", stream=1)):
        for _ in range(10):
            connection = connect(server)
            connection.sendall(begun)
            vanish(connection)
    assert server.answer(skill) == 1


@pytest.mark.parametrize("broken", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe", NOISE])
def test_what_is_no_message_is_an_invalid_argument(server: Server, skill: str, broken: bytes) -> None:
    channel: Any = grpc.insecure_channel(server.address)
    with channel:
        for method in (channel.unary_unary(PARSE), channel.unary_unary(PARSE.replace("Parse", "BatchParse"))):
            with pytest.raises(grpc.RpcError) as caught:
                method(broken, timeout=PATIENCE)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        stream = channel.stream_stream(PARSE.replace("Parse", "StreamParse"))
        with pytest.raises(grpc.RpcError) as caught:
            list(stream(iter([broken]), timeout=PATIENCE))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.asyncio
async def test_who_never_reads_takes_a_bounded_part(server: Server, skill: str) -> None:
    """The server stops to read from those who do not read its answers."""
    before, written = server.process.memory_info().rss, 0
    blank = nlu_pb2.ParseRequest(text=2000 * " ", skills=[nlu_pb2.SkillRef(name=skill)])  # costs no engine
    message = nlu_pb2.StreamParseRequest(request=blank)

    async def write(call: grpc.aio.StreamStreamCall) -> None:  # type: ignore[type-arg]
        nonlocal written
        while True:
            await call.write(message)
            written += 1

    async with grpc.aio.insecure_channel(server.address) as channel:
        calls = [nlu_pb2_grpc.NluServiceStub(channel).StreamParse() for _ in range(4)]
        writing = [asyncio.create_task(write(call)) for call in calls]
        reached = -1
        while reached != written:  # until nothing more can be written
            reached = written
            await asyncio.sleep(1.0)
        assert await asyncio.to_thread(server.answer, skill) == 1
        assert server.process.memory_info().rss - before < GROWTH
        for task, call in zip(writing, calls, strict=True):
            task.cancel()
            call.cancel()


@pytest.mark.asyncio
async def test_cancelled_streams_leave_nothing_behind(server: Server, skill: str) -> None:
    message = nlu_pb2.StreamParseRequest(
        request=nlu_pb2.ParseRequest(text="pay", skills=[nlu_pb2.SkillRef(name=skill)])
    )
    threads = server.process.num_threads()
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = nlu_pb2_grpc.NluServiceStub(channel)
        for answers in range(20):
            call = stub.StreamParse()
            watch = stub.WatchSkills(nlu_pb2.WatchSkillsRequest())
            for _ in range(answers):
                await call.write(message)
            if answers % 2:
                await call.read()
                await watch.read()
            call.cancel()
            watch.cancel()
    assert server.answer(skill) == 1
    soon(lambda: server.process.num_threads() <= threads + 4)


def test_an_upload_that_trickles_gives_its_place_back(server: Server, skill: str) -> None:
    released = threading.Event()

    def stalled() -> Iterator[training_pb2.SubmitTrainingRequest]:
        spec = training_pb2.TrainingSpec(skill="slow", kind=nlu_pb2.SKILL_KIND_INTENT)
        yield training_pb2.SubmitTrainingRequest(start=training_pb2.TrainingStart(spec=spec))
        released.wait(PATIENCE)

    with grpc.insecure_channel(server.address) as channel:
        submit = training_pb2_grpc.TrainingServiceStub(channel).SubmitTraining
        began = time.monotonic()
        uploads = [submit.future(stalled(), timeout=PATIENCE) for _ in range(2)]
        assert server.answer(skill) == 1
        for upload in uploads:
            assert upload.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - began < PATIENCE  # the server's own bound, not ours
        released.set()
        with pytest.raises(grpc.RpcError) as caught:
            submit(iter(()), timeout=PATIENCE)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # there is room for it again
