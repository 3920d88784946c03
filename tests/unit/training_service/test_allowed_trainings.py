"""What the holder of an API key for some skills, or for trainings only, gets from TrainingService."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest

from nlu.client_errors import PermissionDeniedError, UnauthenticatedError
from nlu.training_client import Example, TrainingClient, TrainingSpec
from skills.api_key import KeyDraft, Scope
from skills.skill import SkillDraft

MakeDraft = Callable[..., SkillDraft]
ALL = frozenset(Scope)


@pytest.fixture
def connect(serve: Callable[..., AbstractContextManager[Any]]) -> Iterator[Callable[..., TrainingClient]]:
    """Return a function that makes a key and a client that has it."""
    clients: list[TrainingClient] = []
    with serve(keys=True) as server:

        def make(name: str, scopes: frozenset[Scope], *skills: str) -> TrainingClient:
            token = server.catalog.keys.create(KeyDraft(name, scopes, frozenset(skills)))
            client = TrainingClient(server.address, timeout=30.0, api_key=token.reveal())
            clients.append(client)
            while True:  # until the server knows the key
                try:
                    client.list_jobs()
                    return client
                except UnauthenticatedError:
                    continue

        yield make
        for client in clients:
            client.close()


@pytest.fixture
def plain(spec: TrainingSpec) -> TrainingSpec:
    """A training whose version gets no alias."""
    return replace(spec, alias=None)


def test_the_name_of_the_key_is_in_the_audit_log(
    connect: Callable[..., TrainingClient],
    catalog: Any,
    spec: TrainingSpec,
    examples: list[Example],
    make_draft: MakeDraft,
) -> None:
    client = connect("designer", ALL)
    for _ in range(2):
        catalog.publish(make_draft(), alias="live")
    job = client.submit(spec, examples)
    assert job.submitted_by == "key:designer"
    client.cancel_job(job.id)
    client.retry_job(job.id)
    client.promote("concierge@1")
    client.rollback("concierge")
    client.delete("concierge")
    done = [entry.action for entry in catalog.audit() if entry.by == "key:designer"]
    assert done == ["delete", "rollback", "promote", "retry", "cancel"]


def test_trainings_only_cannot_change_what_is_served(
    connect: Callable[..., TrainingClient],
    catalog: Any,
    spec: TrainingSpec,
    plain: TrainingSpec,
    examples: list[Example],
    make_draft: MakeDraft,
) -> None:
    trainer = connect("trainer", frozenset({Scope.TRAIN}))
    catalog.publish(make_draft(), alias="live")
    job = trainer.submit(plain, examples)
    trainer.cancel_job(job.id)
    assert trainer.retry_job(job.id).id == job.id
    promoting = connect("admin", ALL).submit(spec, examples)
    trainer.cancel_job(promoting.id)
    for denied in (
        lambda: trainer.promote("concierge@1"),
        lambda: trainer.rollback("concierge"),
        lambda: trainer.delete("concierge"),
        lambda: trainer.submit(spec, examples),  # its version would be promoted
        lambda: trainer.submit(replace(spec, alias="candidate"), examples),
        lambda: trainer.retry_job(promoting.id),
    ):
        with pytest.raises(PermissionDeniedError, match="'trainer' has no scope 'admin'"):
            denied()
    assert [entry.action for entry in catalog.audit() if entry.by == "key:trainer"] == [
        "cancel",
        "retry",
        "cancel",
    ]


def test_other_skills_are_neither_trained_nor_seen(
    connect: Callable[..., TrainingClient],
    catalog: Any,
    plain: TrainingSpec,
    examples: list[Example],
    make_draft: MakeDraft,
) -> None:
    everyone, mine = connect("everyone", ALL), connect("mine", ALL, "banking", "concierge")
    catalog.publish(make_draft(name="travel"), alias="live")
    foreign = everyone.submit(replace(plain, skill="travel"), examples, idempotency_key="nightly")
    own = [mine.submit(replace(plain, skill=name), examples).id for name in ("banking", "concierge")]
    assert [job.id for job in mine.list_jobs()] == own[::-1]
    assert [job.id for job in mine.list_jobs(limit=1)] == own[1:]
    assert len(everyone.list_jobs()) == 3
    for denied in (
        lambda: mine.submit(replace(plain, skill="travel"), examples),
        lambda: mine.submit(replace(plain, grown_from="travel@1"), examples),
        lambda: mine.submit(plain, examples, idempotency_key="nightly"),  # the other one's job
        lambda: mine.list_jobs(skill="travel"),
        lambda: mine.get_job(foreign.id),
        lambda: list(mine.watch_job(foreign.id)),
        lambda: mine.cancel_job(foreign.id),
        lambda: mine.retry_job(foreign.id),
        lambda: mine.promote("travel@1"),
        lambda: mine.rollback("travel"),
        lambda: mine.delete("travel"),
    ):
        with pytest.raises(PermissionDeniedError, match="'mine' may not use the skill 'travel'"):
            denied()
    assert not [entry for entry in catalog.audit() if entry.by == "key:mine"]
