"""Concurrent callers of one server, and what they have got: answers of a skill that changes and of others."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field

from benchmarks.catalogs import skill_name
from nlu.client import AsyncClient, ClientError, ParseRequest, ParseResult, UnknownSkillError

CHANGING, *STEADY = map(skill_name, range(4))


@dataclass(frozen=True)
class Answered:
    """Which version answered (None: there is no such skill), and when it was asked and did."""

    live: int | None
    asked: float
    answered: float


@dataclass
class Load:
    """What all callers have got."""

    expected: dict[tuple[str, str], ParseResult]
    seconds: list[float] = field(default_factory=list)
    failed: list[ClientError] = field(default_factory=list)
    unlike: int = 0
    changing: list[Answered] = field(default_factory=list)

    async def run(self, client: AsyncClient, texts: list[str], callers: int, seconds: float) -> None:
        """Let so many callers ask for so long, each beginning with another text."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as calls:
            for caller in range(callers):
                calls.create_task(self._call(client, texts[caller:] + texts[:caller], until))

    async def _call(self, client: AsyncClient, texts: list[str], until: float) -> None:
        """Ask one skill after the other, the changing one as often as all others."""
        for text, steady in itertools.cycle(itertools.product(texts, STEADY)):
            if time.monotonic() > until:
                return
            for name in (CHANGING, steady):
                await self._ask(client, text, name)

    async def _ask(self, client: AsyncClient, text: str, name: str) -> None:
        asked = time.monotonic()
        try:
            result = await ask(client, text, name)
        except ClientError as error:
            if name == CHANGING and isinstance(error, UnknownSkillError):
                self.changing.append(Answered(None, asked, time.monotonic()))
            else:
                self.failed.append(error)
            return
        self.seconds.append(time.monotonic() - asked)
        if name == CHANGING:
            self.changing.append(Answered(result.results[0].skill.version, asked, time.monotonic()))
        else:
            self.unlike += result.results != self.expected[name, text].results


async def ask(client: AsyncClient, text: str, name: str) -> ParseResult:
    """Ask one skill."""
    return await client.parse(ParseRequest(text, skills=(name,)))
