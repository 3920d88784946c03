"""Exemplars, canary and shadow, and skills that do not all fit into memory, as a caller sees them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, TypeAlias

import pytest

from nlu import trial
from nlu.reader import Reader
from nlu.residency import Residency
from nlu.trial import Trial, Trials
from nlu.v1 import nlu_pb2
from skills.errors import SkillRefusedError
from skills.skill import SkillKind, SkillRef
from skills.traffic import Traffic

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

SESSIONS = [f"session {number}" for number in range(40)]


def publish_two_versions(server: Any) -> None:
    server.publish("alpha", seed=1)
    server.publish("alpha", seed=2, alias="candidate")
    server.publish("beta", seed=3)


async def refresh(server: Any) -> None:
    await asyncio.to_thread(server.service.registry.refresh)


async def ask(server: Any, session: str, *, skill: nlu_pb2.SkillRef | None = None, text: str = "x") -> int:
    """The version of alpha that answers."""
    context = nlu_pb2.ParseContext(session_id=session)
    refs = [skill or nlu_pb2.SkillRef(name="alpha")]
    response = await server.stub.Parse(nlu_pb2.ParseRequest(text=text, skills=refs, context=context))
    return int(response.results[0].skill.version)


def trial_of(server: Any) -> Trial:
    [found] = server.service.parser.trials.trials.values()
    assert isinstance(found, Trial)
    return found


async def test_the_candidate_gets_its_share_of_the_sessions_and_only_of_them(serve: Serve) -> None:
    traffic = Traffic(canary=0.5)
    async with serve(prepare=publish_two_versions) as server:
        server.catalog.trials.set("alpha", traffic)
        await refresh(server)
        answered = {session: await ask(server, session) for session in SESSIONS}
        again = {session: await ask(server, session) for session in SESSIONS}
        by_alias = nlu_pb2.SkillRef(name="alpha", alias="live")
        by_live = {session: await ask(server, session, skill=by_alias) for session in SESSIONS}
        by_number = [
            await ask(server, session, skill=nlu_pb2.SkillRef(name="alpha", version=1))
            for session in SESSIONS
        ]
        without_session = [await ask(server, "") for _ in range(5)]
        everything = await server.stub.Parse(
            nlu_pb2.ParseRequest(text="x", context=nlu_pb2.ParseContext(session_id=SESSIONS[0]))
        )
        found = trial_of(server)

    expected = {session: 2 if traffic.goes_to_candidate("alpha", session) else 1 for session in SESSIONS}
    assert set(expected.values()) == {1, 2}
    assert answered == again == by_live == expected
    assert by_number == [1] * len(SESSIONS) and without_session == [1] * 5
    assert [each.skill.version for each in everything.results] == [expected[SESSIONS[0]], 1]
    candidates = 3 * list(expected.values()).count(2) + (expected[SESSIONS[0]] == 2)
    assert found.canary.requests == candidates
    assert found.live.requests == 3 * len(SESSIONS) + len(SESSIONS) + 5 + 1 - candidates


@pytest.mark.parametrize(
    "end",
    [
        lambda catalog: catalog.trials.set("alpha", Traffic()),
        lambda catalog: catalog.promote(SkillRef("alpha", 1), "candidate"),
    ],
    ids=["off", "the same version"],
)
async def test_a_trial_that_is_over_sends_nothing_more(serve: Serve, end: Callable[[Any], object]) -> None:
    async with serve(prepare=publish_two_versions) as server:
        server.catalog.trials.set("alpha", Traffic(canary=1.0))
        await refresh(server)
        assert await ask(server, "one") == 2
        end(server.catalog)
        await refresh(server)
        assert await ask(server, "one") == 1


async def test_a_candidate_that_cannot_be_served_gets_nothing(serve: Serve) -> None:
    def prepare(server: Any) -> None:
        server.publish("alpha")
        server.publish("alpha", alias="candidate", backbone="f" * 64)
        server.catalog.trials.set("alpha", Traffic(canary=1.0, shadow=1.0))

    async with serve(prepare=prepare) as server:
        assert await ask(server, "one") == 1


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def has_compared(server: Any, copies: int) -> bool:
    return trial_of(server).shadow.requests == copies


@pytest.mark.parametrize("kind", [SkillKind.INTENT, SkillKind.JOINT, SkillKind.GRAMMAR])
@pytest.mark.parametrize(("seed", "agrees"), [(1, True), (2, False)])
async def test_copies_are_compared_and_never_seen(
    serve: Serve, kind: SkillKind, seed: int, agrees: bool
) -> None:
    if kind is SkillKind.GRAMMAR and not agrees:
        pytest.skip("both versions leave the text as it is")

    def prepare(server: Any) -> None:
        server.publish("alpha", kind, seed=1)
        server.publish("alpha", kind, seed=seed, alias="candidate")
        server.catalog.trials.set("alpha", Traffic(shadow=1.0))

    async with serve(prepare=prepare) as server:
        texts = ["one", "twenty", "some more", "z", "hello there"]
        for done, text in enumerate(texts, 1):
            assert await ask(server, "", text=text) == 1
            await until(partial(has_compared, server, done))
        found = trial_of(server)
    assert found.live.requests == found.shadow.requests == len(texts)
    assert found.dropped == found.canary.requests == 0
    assert (found.agreed == len(texts)) is agrees
    assert found.shadow.seconds > 0


async def test_copies_are_dropped_while_others_wait(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(server: Any) -> None:
        publish_two_versions(server)
        server.catalog.trials.set("alpha", Traffic(shadow=1.0))

    async with serve(prepare=prepare) as server:
        monkeypatch.setattr(Reader, "is_idle", False)
        assert [await ask(server, "") for _ in range(3)] == [1, 1, 1]
        found = trial_of(server)
        assert server.batcher.accepted == 3
    assert (found.live.requests, found.dropped, found.shadow.requests) == (3, 3, 0)


async def test_a_copy_that_fails_is_dropped_and_nobody_notices(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise SkillRefusedError("damaged since it was loaded")

    def prepare(server: Any) -> None:
        publish_two_versions(server)
        server.catalog.trials.set("alpha", Traffic(shadow=1.0))

    async with serve(prepare=prepare) as server:
        monkeypatch.setattr(Trials, "_compare", fail)
        assert await ask(server, "") == 1
        await until(lambda: trial_of(server).dropped == 1)


async def test_a_trial_is_logged_now_and_then(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trial, "LOG_SECONDS", 0.0)

    def prepare(server: Any) -> None:
        publish_two_versions(server)
        server.catalog.trials.set("alpha", Traffic(canary=1.0))

    with caplog.at_level(logging.INFO, "nlu.trial"):
        async with serve(prepare=prepare) as server:
            await ask(server, "one")
    assert "trial of alpha@2 against alpha@1: live 0 requests" in caplog.text
    assert "canary 1 requests" in caplog.text and "agreement unknown" in caplog.text


@pytest.mark.parametrize("kind", [SkillKind.INTENT, SkillKind.JOINT])
async def test_a_corrected_text_has_its_intent_at_the_next_refresh_in_every_version(
    serve: Serve, kind: SkillKind
) -> None:
    def prepare(server: Any) -> None:
        server.publish("alpha", kind, seed=1)
        server.publish("alpha", kind, seed=2)

    async with serve(prepare=prepare) as server:
        pinned = [nlu_pb2.SkillRef(name="alpha", version=number) for number in (1, 2)]

        async def answers(text: str) -> list[list[tuple[str, float]]]:
            response = await server.stub.Parse(nlu_pb2.ParseRequest(text=text, skills=pinned))
            return [[(i.name, i.confidence) for i in each.intent.ranking] for each in response.results]

        before, other = await answers("hello"), await answers("quiz")
        wrong = before[1][-1][0]
        server.catalog.exemplars.add("alpha", "hello", wrong)
        server.catalog.exemplars.add("alpha", "hello again", "no intent of it")
        await refresh(server)
        corrected = await answers("hello")
        assert await answers("quiz") == other
        server.catalog.exemplars.remove("alpha")
        await refresh(server)
        assert await answers("hello") == before
    assert [ranking[0][0] for ranking in corrected] == [wrong, wrong]


async def test_a_skill_that_did_not_fit_is_listed_and_answers_as_before(serve: Serve) -> None:
    async with serve(prepare=publish_two_versions) as server:
        server.catalog.exemplars.add("beta", "hello", "blue")
        await refresh(server)
        registry = server.service.registry
        before = [await server.parse(text, "beta") for text in ("hello", "quiz")]
        registry._residency = Residency(registry._load, 0)
        answers = []
        for text in ("hello", "quiz"):
            await server.parse("x", "alpha")
            answers.append(await server.parse(text, "beta"))
        listed = await server.stub.ListSkills(nlu_pb2.ListSkillsRequest())
        await refresh(server)
    assert [each.results for each in answers] == [each.results for each in before]
    assert {each.skill.name for each in listed.skills} == {"alpha", "beta"}
