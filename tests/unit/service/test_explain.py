"""What answers of intents resemble, for those who may see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc
import pytest

from nlu.access import KeyRing
from nlu.neighbours import MAX_ROWS, NEAREST
from nlu.residency import Residency
from nlu.v1 import nlu_pb2
from skills.api_key import KeyDraft, Scope
from skills.job import JobRequest
from skills.skill import OUT_OF_SCOPE_LABEL, SkillKind, SkillRef
from skills.training_data import TrainingData
from skills.utterance import Utterance

pytestmark = pytest.mark.asyncio

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[Any]]

TRAIN = [
    Utterance("paint it red", "red"),
    Utterance("make it blue", "blue"),
    Utterance("grass", "green"),
    Utterance("who won", OUT_OF_SCOPE_LABEL),
]
DEV = [Utterance("sky", "blue"), Utterance("paint it red", "red")]


def publish_trained(server: Any, train: list[Utterance] | None = None) -> None:
    """Publish what a job has trained, and beta, which none has."""
    rows = TrainingData(
        SkillKind.INTENT, tuple(train or TRAIN), tuple(DEV), descriptions={"green": "like leaves", "red": ""}
    )
    request = JobRequest("alpha", SkillKind.INTENT)
    lease = server.catalog.jobs.begin(request, rows.to_bytes(), "worker", lease_seconds=60)
    draft = server.make_draft(server.service.backbone, "alpha", seed=1)
    server.catalog.publish(draft, alias="live", lease=lease)
    server.publish("beta", seed=2)


def asking(text: str, *skills: str, explain: bool = True) -> nlu_pb2.ParseRequest:
    refs = [nlu_pb2.SkillRef(name=name) for name in skills or ("alpha",)]
    return nlu_pb2.ParseRequest(text=text, skills=refs, options=nlu_pb2.ParseOptions(explain=explain))


def known(result: Any) -> list[tuple[str, str]]:
    return [(each.text, each.intent) for each in result.intent.similar]


async def test_an_answer_names_the_known_utterances_nearest_first(serve: Serve) -> None:
    async with serve(prepare=publish_trained) as server:
        [result] = (await server.stub.Parse(asking("make it blue"))).results
        [plain] = (await server.stub.Parse(asking("make it blue", explain=False))).results
    similar = result.intent.similar
    assert known(result)[0] == ("make it blue", "blue")
    assert similar[0].similarity == pytest.approx(1.0, abs=2e-3)
    rows = {(row.text, row.intent) for row in TRAIN[:3] + DEV} | {("like leaves", "green")}
    assert sorted(known(result)) == sorted(rows)
    assert [each.similarity for each in similar] == sorted(
        (each.similarity for each in similar), reverse=True
    )
    assert known(plain) == []
    assert plain.intent.ranking == result.intent.ranking


async def test_what_a_skill_was_told_stands_for_what_it_was_trained_on(serve: Serve) -> None:
    async with serve(prepare=publish_trained) as server:
        await server.stub.Parse(asking("grass"))
        for skill in ("alpha", "beta"):
            server.catalog.exemplars.add(skill, "grass", "red")
        await asyncio.to_thread(server.service.registry.refresh)
        alpha, beta = (await server.stub.Parse(asking("grass", "alpha", "beta"))).results
    assert known(alpha)[0] == ("grass", "red")
    assert ("grass", "green") not in known(alpha)
    assert known(beta) == [("grass", "red")]  # there are no rows of it


async def test_rows_are_encoded_once_and_kept_with_the_skill(serve: Serve) -> None:
    async with serve(prepare=publish_trained) as server:
        registry = server.service.registry
        before, texts = registry.resident_bytes, 5  # distinct ones in scope, and a description
        await asyncio.gather(*(server.stub.Parse(asking("sea")) for _ in range(3)))
        assert server.batcher.accepted == texts + 3
        assert registry.resident_bytes == before + texts * 2 * server.service.backbone.shape.d_model
        registry._residency = Residency(registry._load, 0)  # where it is dropped with the skill
        await server.parse("x", "beta")
        [result] = (await server.stub.Parse(asking("sea"))).results
        assert len(known(result)) == texts


async def test_of_many_rows_some_of_all_labels_are_compared(serve: Serve) -> None:
    labels = ("red", "green", "blue")
    many = [Utterance(f"{label} {n}", label) for label in labels for n in range(MAX_ROWS)]

    def prepare(server: Any) -> None:
        publish_trained(server, many)

    async with serve(prepare=prepare) as server:
        [result] = (await server.stub.Parse(asking("x"))).results
        registry = server.service.registry
        skill = await registry.load(await registry.find(SkillRef("alpha")))
    assert len(known(result)) == NEAREST
    assert len(skill.neighbours.rows) <= MAX_ROWS
    assert {row.intent for row in skill.neighbours.rows} == set(labels)


@pytest.mark.parametrize(
    ("scopes", "skills", "message"),
    [
        ({Scope.PARSE}, (), "'dialog' has no scope 'train', which options.explain needs"),
        ({Scope.PARSE, Scope.ADMIN}, (), "'dialog' has no scope 'train', which options.explain needs"),
        ({Scope.PARSE, Scope.TRAIN}, ("beta",), "'dialog' may not use the skill 'alpha'"),
        ({Scope.PARSE, Scope.TRAIN}, ("alpha",), ""),
    ],
)
async def test_training_utterances_are_for_keys_that_may_train_the_skill(
    serve: Serve, scopes: set[Scope], skills: tuple[str, ...], message: str
) -> None:
    keys = KeyRing()
    async with serve(prepare=publish_trained, keys=keys) as server:
        draft = KeyDraft("dialog", frozenset(scopes), skills=frozenset(skills))
        token = server.catalog.keys.create(draft)
        metadata = (("authorization", f"Bearer {token.reveal()}"),)
        batch = nlu_pb2.BatchParseRequest(requests=[asking("grass")])
        async with keys.following(server.catalog, 30.0):
            [item] = (await server.stub.BatchParse(batch, metadata=metadata)).items
            if message:
                with pytest.raises(grpc.aio.AioRpcError, match=message):
                    await server.stub.Parse(asking("grass"), metadata=metadata)
                assert item.status.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
                assert server.batcher.accepted == 0
            else:
                assert known(item.response.results[0])[0] == ("grass", "green")
