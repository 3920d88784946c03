from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from nlu.caller import ANYONE, Caller, current_caller
from nlu.rate import TokenBucket
from nlu.registry import Snapshot
from skills.api_key import ApiKey, Scope
from skills.errors import AccessError, RateLimitError


def caller(*, bucket: TokenBucket | None = None, **changes: Any) -> Caller:
    key = ApiKey("a", "dialog", frozenset({Scope.PARSE}), b"", b"", datetime.now(UTC))
    return Caller(replace(key, **changes), bucket)


@pytest.mark.asyncio
async def test_anyone_may_do_everything() -> None:
    assert current_caller() is ANYONE
    snapshot = Snapshot()
    for scope in Scope:
        ANYONE.check_scope(scope, "this")
    ANYONE.check_skill("banking")
    ANYONE.charge()
    ANYONE.owe(1000)
    await ANYONE.pace()
    assert ANYONE.view(snapshot) is snapshot
    assert (ANYONE.name, ANYONE.skills) == ("", frozenset())


def test_a_share_is_the_key_s_or_the_machine_s() -> None:
    assert caller(id="abc").share == replace(caller(id="abc"), address="10.0.0.1").share == "abc"
    assert Caller(address="10.0.0.1").share == "10.0.0.1"


def test_a_key_without_skills_is_for_all() -> None:
    caller().check_skill("banking")
    with pytest.raises(AccessError, match="'dialog' may not use the skill 'travel'"):
        caller(skills=frozenset({"banking"})).check_skill("travel")


@pytest.mark.asyncio
async def test_a_call_is_refused_where_a_stream_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = 100.0, 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now, waited
        now, waited = now + seconds, waited + seconds

    monkeypatch.setattr(asyncio, "sleep", sleep)
    holder = caller(bucket=TokenBucket(20.0, lambda: now))
    for _ in range(20):
        holder.charge()
    with pytest.raises(RateLimitError) as caught:
        holder.charge()
    assert caught.value.retry_after == pytest.approx(1 / 20)
    for _ in range(40):
        await holder.pace()
    assert waited == pytest.approx(2.0)
