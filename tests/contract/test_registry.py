"""The registry hears of changes: at once where the catalog tells of them, otherwise at its next look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

from nlu.registry import Registry
from skills.skill import SkillDraft, SkillVersion
from storage.catalog import Catalog

pytestmark = pytest.mark.asyncio

SECONDS = 30.0


class Idle:
    """Stands in for the loader where no version has an alias."""

    def check_all(self, versions: Sequence[SkillVersion]) -> Iterator[Any]:
        assert not versions
        return iter(())


@pytest.mark.parametrize(
    ("empty_url", "poll_seconds"),
    [("postgresql", 1000.0), ("postgresql", 0.05), ("sqlite", 0.05)],
    indirect=["empty_url"],
)
async def test_servers_see_a_change(
    url: str, catalog: Catalog, make_draft: Callable[..., SkillDraft], poll_seconds: float
) -> None:
    opened = [Catalog.open(url) for _ in range(2)]
    registries = [Registry(each, cast(Any, Idle())) for each in opened]
    polling = [asyncio.create_task(registry.poll(poll_seconds)) for registry in registries]
    watches = [registry.watch() for registry in registries]
    async with asyncio.timeout(SECONDS):
        for _ in range(3):
            await asyncio.to_thread(catalog.publish, make_draft())
            revision = catalog.revision()
            for watch in watches:
                while (await anext(watch)).revision != revision:
                    pass
    for registry in registries:
        registry.close()
    await asyncio.gather(*polling)
    for each in opened:
        each.close()
