"""The server as a process that is asked for more than it can do, by a noisy caller beside a quiet one."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from nlu.backbone import Backbone
from nlu.client import AsyncClient, ClientError, OverloadedError, UnavailableError
from skills.api_key import KeyDraft, Scope
from skills.skill import SkillDraft
from storage.catalog import Catalog
from tests.acceptance import test_server

SECONDS = test_server.SECONDS
CALLS = 50  # that the noisy caller has under way at a time
TURNS = 10  # of the quiet one
UNLOADED = 30  # turns from which the server learns what one takes alone
TEXT = "where is the card that I have asked for a week ago"

backbone = test_server.backbone
catalog = test_server.catalog
url = test_server.url


@dataclass
class Noise:
    """What a noisy caller has got."""

    answered: int = 0
    refused: list[OverloadedError] = field(default_factory=list)
    other: list[ClientError] = field(default_factory=list)
    loud: asyncio.Event = field(default_factory=asyncio.Event)

    async def make(self, client: AsyncClient) -> None:
        """Ask again and again, until the server has gone."""
        while True:
            try:
                await client.parse(TEXT, timeout=SECONDS)
                self.answered += 1
            except OverloadedError as error:
                self.refused.append(error)
                await asyncio.sleep(error.retry_after or 0)
                if len(self.refused) > CALLS:
                    self.loud.set()
            except ClientError as error:
                self.other.append(error)
                return


@pytest.mark.asyncio
async def test_a_noisy_caller_is_refused_a_quiet_one_answered_and_a_stop_loses_nothing(
    url: str, catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    catalog.publish(make_draft(backbone, "good"), alias="live")
    drafts = [KeyDraft(name, frozenset({Scope.PARSE})) for name in ("noisy", "quiet")]
    noisy_key, quiet_key = (catalog.keys.create(draft).reveal() for draft in drafts)
    noise = Noise()
    usual = 0.0
    server = test_server.running(
        url, auth="keys", queue_seconds=usual, row_cache=0, grace_seconds=SECONDS
    )  # all ask the same, and it is to be read each time
    with server as (address, process):
        async with (
            AsyncClient(address, api_key=noisy_key) as noisy,
            AsyncClient(address, api_key=quiet_key, timeout=SECONDS) as quiet,
        ):
            for _ in range(UNLOADED):
                await quiet.parse(TEXT)
            calls = [asyncio.create_task(noise.make(noisy)) for _ in range(CALLS)]
            await asyncio.wait_for(noise.loud.wait(), SECONDS)
            turns = [await quiet.parse(TEXT) for _ in range(TURNS)]

            process.send_signal(signal.SIGTERM)

            await asyncio.wait_for(asyncio.gather(*calls), SECONDS)
            assert await asyncio.to_thread(process.wait, SECONDS) == 0
    assert all(len(turn.results) == 1 for turn in turns)
    assert noise.answered > 0
    assert all(error.retry_after for error in noise.refused)
    assert {type(error) for error in noise.other} == {UnavailableError}
