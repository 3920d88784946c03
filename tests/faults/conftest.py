"""One server for all faults that it has to survive."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from nlu.backbone import Backbone
from skills.skill import SkillDraft
from storage.catalog import Catalog
from tests.contract import conftest
from tests.faults.processes import Server, serving
from tests.soon import soon

postgres = conftest.postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("faults")
    with serving(f"sqlite:///{folder / 'catalog.db'}", folder / "log", training=True) as started:
        yield started


@pytest.fixture
def catalog(server: Server) -> Iterator[Catalog]:
    opened = Catalog.open(server.url)
    yield opened
    opened.close()


@pytest.fixture
def skill(
    server: Server, catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> Iterator[str]:
    """The name of a skill that the server serves; it answers before and after every fault."""
    name = "steady"
    if not catalog.versions(name):
        catalog.publish(make_draft(backbone, name), alias="live")
    soon(lambda: _is_served(server, name))
    yield name
    assert server.answer(name) == 1
    assert server.process.is_running()


def _is_served(server: Server, name: str) -> bool:
    from nlu.client import UnknownSkillError

    try:
        return server.answer(name) == 1
    except UnknownSkillError:
        return False
