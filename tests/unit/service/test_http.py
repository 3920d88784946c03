"""Rasa's HTTP API on a real socket, in front of the same service as gRPC."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import httpx
import numpy as np
import pytest

from nlu.client_wire import read_result
from nlu.http import app
from nlu.http.openapi import openapi
from nlu.http.payload import read_payload
from nlu.http.server import serving_http
from nlu.port import listen
from nlu.prompt import Prompt
from nlu.rasa.answer import entities_of, ranking_of
from nlu.service import NluServicer, Service
from nlu.slot_head import SlotHead
from skills.errors import InputError
from skills.parse import MAX_TEXT
from skills.resolution import Resolver
from skills.skill import Calibration, SkillKind
from skills.slot import SlotLabel

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

SECONDS = 30.0  # a test that waits for longer has failed
SMILE = "\N{GRINNING FACE}"
TOKEN = "s3cret \N{SNOWMAN}"  # noqa: S105 - of a test


@asynccontextmanager
async def asking(
    running: Callable[[], Service], token: str = "", grace_seconds: float = SECONDS
) -> AsyncIterator[httpx.AsyncClient]:
    serving = serving_http(app.make_app(running, token), "127.0.0.1:0", grace_seconds=grace_seconds)
    async with serving as url, httpx.AsyncClient(base_url=url, timeout=SECONDS, trust_env=False) as client:
        yield client


def publish_joint(server: Any) -> None:
    """One skill of intents and slots: all that it reads is a city with a role, and without a group."""
    shape = server.service.backbone.shape
    slots = SlotHead(
        (SlotLabel("city", "to"),),
        np.zeros((3, shape.d_model), np.float32),
        np.array([0.0, 5.0, 0.0], np.float32),
        1.0,
        Resolver({}),
        np.zeros((0, shape.prompted_layers, 2, 2, shape.d_attention), np.float32),
        (),
    )
    prompt = Prompt(deep=np.zeros((shape.prompted_layers, 2, 3, shape.d_attention), np.float32))
    server.publish("travel", SkillKind.JOINT, heads={"prompt": prompt, "slots": slots})


def publish_closed(server: Any) -> None:
    server.publish("closed", calibration=Calibration(scope_threshold=1.0))


def failed(answer: httpx.Response, code: int) -> dict[str, Any]:
    """The body of a failure, which is in Rasa's form."""
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["status"], body["code"]) == (code, "failure", code)
    assert set(body) == {"version", "status", "message", "reason", "details", "help", "code"}
    return body


@pytest.mark.asyncio
async def test_an_answer_is_rasas_and_that_of_the_component(serve: Serve) -> None:
    text = f"{SMILE} oslo"
    async with serve(prepare=publish_joint) as server, asking(server.servicer.running) as client:
        answer = await client.post("/model/parse", json={"text": f"  {text} ", "message_id": "ann"})
        seen = read_result(await server.parse(text))
    body = answer.json()
    assert set(body) == {"text", "intent", "entities", "intent_ranking", "response_selector", "softspoken"}
    assert (body["text"], body["response_selector"]) == (text, {})
    assert body["intent_ranking"] == ranking_of(seen, 10)
    assert body["intent"] == body["intent_ranking"][0]
    assert body["entities"] == [{**each, "extractor": "SoftspokenNLU"} for each in entities_of(seen)]
    assert body["softspoken"]["request_id"] == answer.headers["x-request-id"]
    assert body["entities"]
    for entity in body["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["raw"]
        assert (entity["entity"], entity["role"]) == ("city", "to")
        assert "group" not in entity  # an empty one would keep Rasa from filling the slot


@pytest.mark.asyncio
async def test_out_of_scope_is_rasas_fallback_with_the_ranking_kept(serve: Serve) -> None:
    async with serve(prepare=publish_closed) as server, asking(server.servicer.running) as client:
        body = (await client.post("/model/parse", json={"text": "hello"})).json()
    assert body["intent"] == {"name": "nlu_fallback", "confidence": 1.0}
    assert {each["name"] for each in body["intent_ranking"]} == {"nlu_fallback", "red", "green", "blue"}
    assert body["softspoken"]["outcome"] == "out-of-scope"


@pytest.mark.asyncio
async def test_a_url_may_name_the_skills(serve: Serve) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        everyone = await client.post("/model/parse", json={"text": "hello"})
        some = await client.post("/skills/beta@1/model/parse", json={"text": "hello"})
        unknown = await client.post("/skills/beta,gamma/model/parse", json={"text": "hello"})
        wrong = await client.post("/skills/Not a name/model/parse", json={"text": "hello"})
    assert everyone.json()["softspoken"]["skills"] == ["alpha@1", "beta@1"]
    assert some.json()["softspoken"]["skills"] == ["beta@1"]
    assert "gamma" in failed(unknown, 404)["message"]
    assert failed(wrong, 400)["details"] == {"parameter": "skills.name"}


@pytest.mark.asyncio
async def test_json_is_read_whatever_its_type_is_said_to_be(serve: Serve) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}  # `curl -d`, as in Rasa's manual
    async with serve() as server, asking(server.servicer.running) as client:
        answer = await client.post("/model/parse", content='{"text": "hello"}', headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("body", "code", "parameter"),
    [
        ("", 400, None),
        ("hello", 400, None),
        ("[]", 400, None),
        ("[" * 5000, 400, None),
        ('{"message_id": "ann"}', 400, "text"),
        ('{"text": null}', 400, "text"),
        ('{"text": "hello", "message_id": 7}', 400, "message_id"),
        (r'{"text": "\ud83d"}', 400, None),
        (json.dumps({"text": "a" * (MAX_TEXT + 1)}), 400, "text"),
        (json.dumps({"text": SMILE * MAX_TEXT}), 200, None),
        (json.dumps({"text": "hello", "more": "a" * app.MAX_BODY}), 413, None),
    ],
    ids=[
        *("empty", "no JSON", "no object", "deep", "no text", "null", "number", "half", "long"),
        *("longest", "large"),
    ],
)
@pytest.mark.asyncio
async def test_a_body_that_does_not_fit_is_refused(
    serve: Serve, body: str, code: int, parameter: str | None
) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        answer = await client.post("/model/parse", content=body)
    if code == httpx.codes.OK:
        assert answer.status_code == code
    else:
        assert failed(answer, code)["details"] == ({"parameter": parameter} if parameter else {})


@pytest.mark.asyncio
async def test_a_body_without_an_end_is_cut_off(serve: Serve) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
        writer.write(b"POST /model/parse HTTP/1.1\r\nhost: here\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write((b"1000\r\n" + b" " * 4096 + b"\r\n") * 20)
        answer = await asyncio.wait_for(reader.read(), SECONDS)  # to the end of the connection
        writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("method", "path", "code", "named"),
    [
        ("POST", "/model/parse?emulation_mode=LUIS", 400, "emulation_mode 'LUIS'"),
        ("GET", "/model/parse", 405, ""),
        ("GET", "/docs", 404, ""),
        ("PUT", "/model", 404, ""),
    ],
)
@pytest.mark.asyncio
async def test_what_is_not_supported_is_an_error_in_rasas_form(
    serve: Serve, method: str, path: str, code: int, named: str
) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        content = '{"text": "hello"}' if method == "POST" else None
        answer = await client.request(method, path, content=content)
    assert named in failed(answer, code)["message"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/model/parse", {}, 401),
        ("/model/parse", {"token": "wrong"}, 401),
        ("/model/parse", {"token": TOKEN}, 200),  # as Rasa sends that of endpoints.yml
        ("/model/parse?token=wrong", {}, 401),
        (f"/model/parse?token={TOKEN}", {}, 200),
        ("/skills/alpha/model/parse", {}, 401),
        ("/status", None, 401),
        ("/status?token=\udcff", None, 401),
        (f"/status?token={TOKEN}", None, 200),
        ("/version", None, 200),
        ("/healthz", None, 200),
        ("/openapi.json", None, 200),
    ],
)
@pytest.mark.asyncio
async def test_only_who_knows_the_token_is_answered(
    serve: Serve, caplog: pytest.LogCaptureFixture, path: str, body: dict[str, str] | None, code: int
) -> None:
    caplog.set_level(logging.DEBUG)
    path = path.replace("\udcff", "%FF")
    async with serve() as server, asking(server.servicer.running, TOKEN) as client:
        if body is None:
            answer = await client.get(path)
        else:
            answer = await client.post(path, json={"text": "hello", **body})
    assert answer.status_code == code
    if code == httpx.codes.UNAUTHORIZED:
        assert failed(answer, code)["reason"] == "NotAuthenticated"
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("nlu.")]
    assert any(f" {code} " in line for line in ours)
    assert not any("s3cret" in line for line in ours)


@pytest.mark.asyncio
async def test_a_caller_without_a_key_is_its_machine_however_it_connects(serve: Serve) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        server.batcher.lanes.clear()
        await server.parse("by grpc", "alpha")
        await client.post("/skills/alpha/model/parse", json={"text": "by http"})
    assert {lane.caller for lane in server.batcher.lanes} == {"127.0.0.1"}


@pytest.mark.asyncio
async def test_a_full_queue_says_when_to_come_again(serve: Serve) -> None:
    async with serve(queue_rows=1) as server, asking(server.servicer.running) as client:
        first = await server.occupy()
        waiting = asyncio.create_task(server.parse("second", "alpha"))
        await server.batcher.until_accepted(2)
        refused = await client.post("/skills/alpha/model/parse", json={"text": "third"})
        server.engine.gate.set()
        await asyncio.gather(first, waiting)
    assert failed(refused, 429)["reason"] == "TooManyRequests"
    assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.asyncio
async def test_an_answer_that_is_late_is_a_timeout(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "SECONDS", 0.0)
    async with serve() as server, asking(server.servicer.running) as client:
        assert failed(await client.post("/model/parse", json={"text": "hello"}), 504)


@pytest.mark.asyncio
async def test_a_server_that_starts_or_stops_says_so(serve: Serve) -> None:
    async with serve() as server:
        servicer = NluServicer()
        async with asking(servicer.running) as client:
            for ready in (False, True, False):
                if ready:
                    servicer.start(server.service)
                answers = [await client.get(path) for path in ("/healthz", "/status")]
                answers.append(await client.post("/model/parse", json={"text": "hello"}))
                for answer in answers:
                    if ready:
                        assert answer.status_code == httpx.codes.OK
                    else:
                        assert failed(answer, 503)["reason"] == "ServiceUnavailable"
                        assert answer.headers["retry-after"] == "1"
                if ready:
                    servicer.stop()


@pytest.mark.asyncio
async def test_a_stop_waits_for_what_is_in_flight(serve: Serve) -> None:
    async with serve() as server:
        server.engine.gate.clear()
        server.engine.busy.clear()
        async with asyncio.TaskGroup() as tasks:
            async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
                application = app.make_app(server.servicer.running, "")
                async with serving_http(application, "127.0.0.1:0", grace_seconds=SECONDS) as url:
                    asked = tasks.create_task(client.post(f"{url}/model/parse", json={"text": "hello"}))
                    assert await asyncio.to_thread(server.engine.busy.wait, SECONDS)
                    asyncio.get_running_loop().call_later(0.3, server.engine.gate.set)
                assert (await asked).json()["text"] == "hello"
                with pytest.raises(httpx.ConnectError):
                    await client.get(f"{url}/healthz")


@pytest.mark.asyncio
async def test_a_stop_does_not_wait_for_longer_than_it_may(serve: Serve) -> None:
    async with serve() as server:
        server.engine.gate.clear()
        server.engine.busy.clear()
        async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
            application = app.make_app(server.servicer.running, "")
            async with serving_http(application, "127.0.0.1:0", grace_seconds=0) as url:
                asked = asyncio.create_task(client.post(f"{url}/model/parse", json={"text": "hello"}))
                assert await asyncio.to_thread(server.engine.busy.wait, SECONDS)
            assert not server.engine.gate.is_set()
            assert "stopped" in failed(await asked, 503)["message"]


@pytest.mark.asyncio
async def test_our_own_fault_is_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Service:
        raise RuntimeError("postgresql://ann:s3cret@db")

    async with asking(broken) as client:
        answer = await client.get("/status", headers={"x-request-id": "call-7"})
    body = failed(answer, 500)
    assert "call-7" in body["message"] and "s3cret" not in body["message"]
    assert answer.headers["x-request-id"] == "call-7"
    assert [record.exc_info is not None for record in caplog.records if "call-7" in record.message] == [True]


@pytest.mark.asyncio
async def test_the_log_has_one_line_of_a_request_and_health_is_not_news(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        caplog.set_level(logging.INFO, "nlu.http")
        caplog.clear()
        for path in ("/healthz", "/version", "/no%0Asuch"):
            await client.get(path, headers={"x-request-id": "two words"})
    lines = [record.getMessage() for record in caplog.records if record.name == "nlu.http.boundary"]
    assert [line.split()[:3] for line in lines] == [["GET", "/version", "200"], ["GET", "/no%0Asuch", "404"]]
    assert not any("two words" in line for line in lines)


@pytest.mark.asyncio
async def test_version_and_status_tell_what_answers(serve: Serve) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        version = (await client.get("/version")).json()
        before = (await client.get("/status")).json()
        server.publish("gamma")
        await asyncio.to_thread(server.service.registry.refresh)
        after = (await client.get("/status")).json()
    assert version == {"version": "3.6.21", "minimum_compatible_version": "3.6.21"}
    assert before["model_file"] == "alpha@1, beta@1"
    assert after["model_file"] == "alpha@1, beta@1, gamma@1"
    assert before["model_id"] != after["model_id"]
    assert before["num_active_training_jobs"] == 0


def references(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        if "$ref" in document:
            yield document["$ref"]
        document = list(document.values())
    for each in document if isinstance(document, list) else ():
        yield from references(each)


@pytest.mark.asyncio
async def test_the_description_has_every_path_and_what_it_refers_to(serve: Serve) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        document = (await client.get("/openapi.json")).json()
        answer = (await client.post("/model/parse", json={"text": "hello"})).json()
        for path, methods in document["paths"].items():
            for method in methods:
                found = await client.request(method, path, content='{"text": "/hello"}')
                assert found.status_code not in (404, 405) or "{skills}" in path
    described = set(document["paths"]) | {"/openapi.json"}
    assert {
        getattr(route, "path", "") for route in app.make_app(server.servicer.running, "").routes
    } == described
    schemas = document["components"]["schemas"]
    assert {f"#/components/schemas/{name}" for name in schemas} == set(references(document))
    assert set(answer) <= set(schemas["ParseAnswer"]["properties"])
    assert document == openapi()


CITY = '/go{"city": "Oslo"}'


@pytest.mark.parametrize(
    ("text", "intent", "confidence", "entities"),
    [
        ("/greet", "greet", 1.0, []),
        ("/faq/opening", "faq/opening", 1.0, []),
        ("/greet @0.7 and more", "greet", 0.7, []),
        ("/greet@7", "greet", 1.0, []),
        ("/greet@0.1.2", "greet", 0.0, []),
        (CITY, "go", 1.0, [("city", "Oslo")]),
        ('/go@0.5{"city": ["Oslo", "Rome"], "people": 2}', "go", 0.5, None),
        ('/go{"city": null}', "go", 1.0, [("city", None)]),
        ("/go{city}", "go", 1.0, []),
        ("/go{[1]}", "go", 1.0, []),
        ('/go{"x": NaN}', "go", 1.0, []),
        ('/go{"x": ' + "[" * 1900 + "}", "go", 1.0, []),
    ],
)
def test_a_message_that_names_its_intent_is_taken_at_its_word(
    text: str, intent: str, confidence: float, entities: list[tuple[str, Any]] | None
) -> None:
    answer = read_payload(text)
    assert answer is not None
    assert (answer.text, answer.intent.name, answer.intent.confidence) == (text, intent, confidence)
    assert answer.intent_ranking == [answer.intent]
    wanted = [("city", "Oslo"), ("city", "Rome"), ("people", 2)] if entities is None else entities
    assert [(each.entity, each.value) for each in answer.entities] == wanted
    for each in answer.entities:
        assert (text[each.start], text[each.end - 1]) == ("{", "}")


@pytest.mark.parametrize("text", ["", "greet", "say /greet", "/", "/{}", "/@0.5"])
def test_any_other_text_is_for_the_skills(text: str) -> None:
    assert read_payload(text) is None


@pytest.mark.asyncio
async def test_a_button_asks_no_skill(serve: Serve) -> None:
    async with serve() as server, asking(server.servicer.running) as client:
        body = (await client.post("/model/parse", json={"text": CITY})).json()
        assert server.engine.batches == []
    assert body["intent"] == {"name": "go", "confidence": 1.0}
    assert body["entities"] == [
        {"entity": "city", "start": 3, "end": 19, "value": "Oslo", "extractor": "RegexMessageHandler"}
    ]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "192.0.2.1:0", "unix:x"]
)
@pytest.mark.asyncio
async def test_an_address_that_cannot_be_listened_on_is_named(address: str) -> None:
    with pytest.raises(InputError, match=address) as caught:
        async with serving_http(app.make_app(NluServicer().running, ""), address, grace_seconds=0):
            raise AssertionError("it listens")
    assert caught.value.field == "http"


@pytest.mark.asyncio
async def test_an_ipv6_address_is_as_good() -> None:
    async with serving_http(app.make_app(NluServicer().running, ""), "[::1]:0", grace_seconds=0) as url:
        assert url.startswith("http://[::1]:")
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/version")).status_code == httpx.codes.OK


def test_no_part_of_an_answer_waits_for_the_part_before_it() -> None:
    with listen("127.0.0.1:0") as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)  # or it takes 40 ms
