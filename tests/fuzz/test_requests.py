"""Random bytes and random messages to every method: an answer, or an error that says what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.interceptors import CallBoundary
from nlu.training_service import Training, TrainingServicer
from nlu.v1 import nlu_pb2, nlu_pb2_grpc, training_pb2, training_pb2_grpc
from skills.skill import SkillKind
from tests.conftest import draft_of
from tests.unit.service.conftest import Running, running
from training.submission import check_submission

SECONDS = 30.0
FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED}
SERVICES = {
    name: (file.package, file.services_by_name[name])
    for file, name in ((nlu_pb2.DESCRIPTOR, "NluService"), (training_pb2.DESCRIPTOR, "TrainingService"))
}
METHODS = [f"{service}/{method.name}" for service, (_, found) in SERVICES.items() for method in found.methods]

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        ["", " ", "\0", "alpha", "slots", "grammar", "live", "Oslo at six", "🙂" * 500, "x" * 3000]
    ),
)
NUMBERS = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.one_of(st.integers(0, 5), st.integers(-(2**31), 2**31 - 1)),
}


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(field.message_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=20)
    return TEXTS if field.cpp_type == FieldDescriptor.CPPTYPE_STRING else NUMBERS[field.cpp_type]


def messages(descriptor: Descriptor) -> st.SearchStrategy[Any]:
    """Any message of a type, with any of its fields set."""

    def of(field: FieldDescriptor) -> st.SearchStrategy[Any]:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields
            return st.dictionaries(values(key), values(value), max_size=2)
        return st.lists(values(field), max_size=3) if field.is_repeated else values(field)

    fields = {field.name: of(field) for field in descriptor.fields}
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: GetMessageClass(descriptor)(**given))


class Asked:
    """A server with a skill of each kind, and what sends it bytes.

    The channel is not asyncio's: there, a stream that is refused before it is sent whole may end as INTERNAL,
    "Internal error from Core", whatever the server answered.
    """

    def __init__(self, runner: asyncio.Runner, channel: grpc.Channel) -> None:
        self._runner = runner
        self._channel = channel

    def ask(self, method: str, requests: list[bytes]) -> grpc.StatusCode:
        """Send what a method may be sent, and return how it ends; one answer of a stream is enough."""
        code: grpc.StatusCode = self._runner.run(asyncio.to_thread(self._ask, method, requests))
        return code

    def _ask(self, name: str, requests: list[bytes]) -> Any:
        service, _, method = name.partition("/")
        package, found = SERVICES[service]
        kind = found.methods_by_name[method]
        way = getattr(self._channel, f"{_way(kind.client_streaming)}_{_way(kind.server_streaming)}")
        ask = way(f"/{package}.{name}")
        sent = iter(requests) if kind.client_streaming else requests[0]
        if not kind.server_streaming:
            return ask.future(sent, timeout=SECONDS).code()
        answers = ask(sent, timeout=SECONDS)
        try:
            for _ in answers:
                if not kind.client_streaming:
                    answers.cancel()
                    return grpc.StatusCode.OK
        except grpc.RpcError:
            pass
        return answers.code()


def _way(streaming: bool) -> str:
    return "stream" if streaming else "unary"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield Asked(runner, runner.run(_start(stack, tmp_path_factory.mktemp("fuzz"))))
        runner.run(stack.aclose())


async def _start(stack: AsyncExitStack, folder: Path) -> grpc.Channel:
    def prepare(server: Running) -> None:
        server.publish("alpha")
        server.publish("slots", SkillKind.SLOTS)
        server.publish("grammar", SkillKind.GRAMMAR)

    inside = await stack.enter_async_context(running(folder, draft_of, prepare=prepare))
    training = TrainingServicer()
    training.start(Training(inside.catalog, check_submission))
    server = grpc.aio.server(interceptors=[CallBoundary()])
    nlu_pb2_grpc.add_NluServiceServicer_to_server(inside.servicer, server)
    training_pb2_grpc.add_TrainingServiceServicer_to_server(training, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, None)
    return stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{port}"))


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10)
@given(data=st.data())
def test_random_messages_are_answered_or_refused(asked: Asked, method: str, data: st.DataObject) -> None:
    service, _, name = method.partition("/")
    kind = SERVICES[service][1].methods_by_name[name].input_type
    sent = data.draw(st.lists(messages(kind), min_size=1, max_size=3))
    assert asked.ask(method, [each.SerializeToString() for each in sent]) not in FAULTS


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=10)
@given(sent=st.lists(st.binary(max_size=60), min_size=1, max_size=3))
def test_random_bytes_are_answered_or_refused(asked: Asked, method: str, sent: list[bytes]) -> None:
    assert asked.ask(method, sent) not in FAULTS


def test_a_stream_answers_what_came_before_a_broken_message(asked: Asked) -> None:
    assert asked.ask("NluService/StreamParse", [b"", b"\xff"]) is grpc.StatusCode.INVALID_ARGUMENT
