from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc
import pytest

from nlu.service import IN_FLIGHT, MAX_BATCH
from nlu.v1 import nlu_pb2

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]


def request(text: str, *skills: str, **options: Any) -> nlu_pb2.ParseRequest:
    return nlu_pb2.ParseRequest(
        text=text,
        skills=[nlu_pb2.SkillRef(name=name) for name in skills],
        options=nlu_pb2.ParseOptions(**options),
    )


def stream_of(*requests: nlu_pb2.ParseRequest) -> list[nlu_pb2.StreamParseRequest]:
    return [nlu_pb2.StreamParseRequest(request=each) for each in requests]


async def test_one_bad_item_of_a_batch_fails_alone(serve: Serve) -> None:
    requests = [
        request("good"),
        request("x" * 2001),
        request("x", "gamma"),
        request(""),
        request("fine", "beta"),
    ]
    async with serve() as server:
        response = await server.stub.BatchParse(nlu_pb2.BatchParseRequest(requests=requests))

    assert [(item.status.code, item.status.field) for item in response.items] == [
        (0, ""),
        (grpc.StatusCode.INVALID_ARGUMENT.value[0], "text"),
        (grpc.StatusCode.NOT_FOUND.value[0], "skills"),
        (0, ""),
        (0, ""),
    ]
    assert [item.HasField("response") for item in response.items] == [True, False, False, True, True]
    assert [result.skill.name for result in response.items[4].response.results] == ["beta"]


async def test_a_batch_answers_as_single_calls_do(serve: Serve) -> None:
    texts = ["one", "number two", "three"]
    async with serve() as server:
        batch = await server.stub.BatchParse(nlu_pb2.BatchParseRequest(requests=map(request, texts)))
        single = [await server.parse(text) for text in texts]
    assert [item.response.results for item in batch.items] == [response.results for response in single]
    assert len({item.response.request_id for item in batch.items}) == len(texts)


async def test_the_largest_batch_leaves_room_for_other_callers(serve: Serve) -> None:
    async with serve() as server:
        first = await server.occupy()
        requests = [request("hello", "alpha")] * MAX_BATCH
        call = server.stub.BatchParse(nlu_pb2.BatchParseRequest(requests=requests))
        await server.batcher.until_accepted(1 + IN_FLIGHT)
        server.engine.gate.set()
        response = await call
        await first
    assert [item.status.code for item in response.items] == [0] * MAX_BATCH
    assert server.batcher.most_waiting == 1 + IN_FLIGHT


async def test_a_batch_that_is_too_large_is_refused_as_a_whole(serve: Serve) -> None:
    async with serve() as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            requests = [request("hello")] * (MAX_BATCH + 1)
            await server.stub.BatchParse(nlu_pb2.BatchParseRequest(requests=requests))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = nlu_pb2.ItemStatus.FromString(dict(caught.value.trailing_metadata())["softspoken-status-bin"])
    assert status.field == "requests"
    assert not server.engine.batches


async def test_a_long_stream_is_answered_item_by_item_and_takes_its_share_of_the_queue(
    serve: Serve,
) -> None:
    requests = [request("hello", "alpha")] * (3 * IN_FLIGHT) + [request("x", "gamma")]
    requests[1] = nlu_pb2.ParseRequest(text="", request_id="mine")
    async with serve() as server:
        first = await server.occupy()
        call = server.stub.StreamParse(iter(stream_of(*requests)))
        await server.batcher.until_accepted(1 + IN_FLIGHT)
        server.engine.gate.set()
        answers = {answer.index: answer async for answer in call}
        await first

    assert sorted(answers) == list(range(len(requests)))
    codes = [answers[index].item.status.code for index in sorted(answers)]
    assert codes == [0] * (3 * IN_FLIGHT) + [grpc.StatusCode.NOT_FOUND.value[0]]
    assert answers[1].request_id == answers[1].item.response.request_id == "mine"
    assert len({answer.request_id for answer in answers.values()}) == len(requests)
    assert server.batcher.most_waiting == 1 + IN_FLIGHT


async def test_a_stream_answers_what_is_ready_while_other_items_wait(serve: Serve) -> None:
    async with serve() as server:
        first = await server.occupy()
        call = server.stub.StreamParse(iter(stream_of(request("waits", "alpha"), request(""))))
        early = await call.read()
        server.engine.gate.set()
        late = await call.read()
        await first
    assert (early.index, late.index) == (1, 0)


async def test_a_cancelled_stream_takes_its_rows_out_of_the_queue(serve: Serve, logged: Any) -> None:
    async with serve() as server:
        first = await server.occupy()
        async with logged("StreamParse CANCELLED"):
            call = server.stub.StreamParse(iter(stream_of(*[request("gone", "alpha")] * 10)))
            await server.batcher.until_accepted(11)
            call.cancel()
        server.engine.gate.set()
        await first
        await server.parse("after", "alpha")
    assert [len(ids) for batch in server.engine.batches for ids in batch] == [
        len("first") + 1,
        len("after") + 1,
    ]


async def test_a_stopping_server_answers_what_it_read_from_a_stream_and_then_ends_it(serve: Serve) -> None:
    async with serve() as server:
        first = await server.occupy()
        call = server.stub.StreamParse()
        for message in stream_of(*[request("hello", "alpha")] * 3):
            await call.write(message)
        await server.batcher.until_accepted(4)

        server.servicer.stop()
        server.engine.gate.set()

        answers = [await call.read() for _ in range(3)]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        await first
    assert sorted(answer.index for answer in answers) == [0, 1, 2]
    assert all(answer.item.status.code == 0 for answer in answers)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("method", ["BatchParse", "StreamParse"])
async def test_items_of_many_wait_where_a_single_request_is_refused(serve: Serve, method: str) -> None:
    requests = [request("hello", "alpha")] * 8
    async with serve(queue_seconds=1e-9) as server:
        first = await server.occupy()
        second = asyncio.create_task(server.parse("second", "alpha"))
        await server.batcher.until_accepted(2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.parse("third", "alpha")
        if method == "BatchParse":
            call = server.stub.BatchParse(nlu_pb2.BatchParseRequest(requests=requests))
        else:
            call = server.stub.StreamParse(iter(stream_of(*requests)))
        await server.batcher.until_accepted(2 + len(requests))
        server.engine.gate.set()
        items = (await call).items if method == "BatchParse" else [each.item async for each in call]
        await asyncio.gather(first, second)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [item.status.code for item in items] == [0] * len(requests)


async def test_a_cancelled_batch_takes_its_rows_out_of_the_queue(serve: Serve, logged: Any) -> None:
    async with serve() as server:
        first = await server.occupy()
        async with logged("BatchParse CANCELLED"):
            call = server.stub.BatchParse(nlu_pb2.BatchParseRequest(requests=[request("gone", "alpha")] * 10))
            await server.batcher.until_accepted(11)
            call.cancel()
        server.engine.gate.set()
        await first
        await server.parse("after", "alpha")
    assert [len(ids) for batch in server.engine.batches for ids in batch] == [
        len("first") + 1,
        len("after") + 1,
    ]


async def test_items_whose_deadline_would_pass_in_the_queue_are_told_at_once(serve: Serve) -> None:
    text = "x" * 200  # one takes 0.2 s, as far as a batcher knows that has processed nothing
    async with serve() as server:
        first = await server.occupy()
        many = server.stub.BatchParse(nlu_pb2.BatchParseRequest(requests=[request(text, "alpha")] * 50))
        await server.batcher.until_accepted(51)
        late = nlu_pb2.BatchParseRequest(requests=[request("late", "alpha")] * 2)
        response = await server.stub.BatchParse(late, timeout=4)
        server.engine.gate.set()
        await asyncio.gather(first, many)
    assert [item.status.code for item in response.items] == [grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]] * 2
    assert all("deadline" in item.status.message and item.status.retry_after for item in response.items)
