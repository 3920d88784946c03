from __future__ import annotations

import pytest

from nlu import compute
from training.job_process import JobSettings, fair_share
from training.resources import Resources


@pytest.mark.parametrize(
    ("asked", "concurrency", "cpus", "threads"),
    [
        (0, 1, 8, 8),
        (0, 3, 8, 2),
        (0, 4, 2, 1),  # at least one
        (3, 4, 8, 3),  # as asked for
        (16, 1, 8, 8),  # a worker on a smaller machine than it was set up for does not fail its jobs
    ],
)
def test_trainings_share_the_cpus(
    monkeypatch: pytest.MonkeyPatch, asked: int, concurrency: int, cpus: int, threads: int
) -> None:
    monkeypatch.setattr(compute, "available_cpus", lambda: cpus)
    settings = JobSettings("sqlite:///x.db", Resources(threads=asked), concurrency, nice=10)

    assert fair_share(settings) == Resources(threads=threads)
