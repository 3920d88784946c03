"""Settings of servers to be, all of whose files are in the test's own folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlu.server_settings import ServerSettings


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., ServerSettings]:
    """Return a function that makes settings, with the given fields changed."""

    def make(**changes: Any) -> ServerSettings:
        fields: dict[str, Any] = {
            "catalog": f"sqlite:///{tmp_path / 'catalog.db'}",
            "address": "127.0.0.1:0",
            "cache": tmp_path / "cache",
            "threads": 1,
            "precision": "float32",
        }
        return ServerSettings(**(fields | changes))

    return make
