"""How a group shares out a machine; tests/acceptance/test_worker_group.py has real servers."""

from __future__ import annotations

import os

import pytest

from nlu import server_group
from nlu.server_group import divided_cpus
from nlu.server_settings import ServerSettings
from skills.errors import InputError


@pytest.mark.parametrize(
    ("affinity", "available", "servers", "threads", "divided"),
    [
        ({0, 1}, 2, 2, 0, [{0}, {1}]),
        ({2, 5, 7, 9}, 4, 2, 0, [{2, 5}, {7, 9}]),
        ({0, 1, 2, 3, 4}, 5, 2, 2, [{0, 1}, {2, 3}]),
        ({0, 1, 2, 3}, 4, 2, 1, [{0, 1}, {2, 3}]),  # a CPU besides the thread's
        ({0, 1}, 2, 3, 0, [set(), set(), set()]),  # more servers than CPUs
        ({0, 1}, 2, 2, 2, [set(), set()]),  # more threads
        (set(range(64)), 4, 2, 0, [set(), set()]),  # a quota: these CPUs are everyone's
    ],
)
def test_each_server_has_cpus_of_its_own_where_there_are_enough(
    monkeypatch: pytest.MonkeyPatch,
    affinity: set[int],
    available: int,
    servers: int,
    threads: int,
    divided: list[set[int]],
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: affinity)
    monkeypatch.setattr(server_group, "available_cpus", lambda: available)
    assert divided_cpus(servers, threads) == divided


@pytest.mark.parametrize(
    ("workers", "address"), [(0, "127.0.0.1:0"), (-1, "127.0.0.1:0"), (2, "unix:/run/softspoken.sock")]
)
def test_what_cannot_be_shared_is_refused_by_name(workers: int, address: str) -> None:
    with pytest.raises(InputError) as caught:
        ServerSettings("sqlite:///catalog.db", address=address, workers=workers)
    assert caught.value.field == "workers"
