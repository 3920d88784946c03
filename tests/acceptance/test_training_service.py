"""TrainingService of a server process: what it promotes is served, and a worker trains what it queues."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from nlu.backbone import Backbone
from nlu.cache import default_cache
from nlu.client import Client, ParseRequest, ServerError
from nlu.training_client import (
    Example,
    InvalidRequestError,
    JobState,
    SkillKind,
    TrainingClient,
    TrainingSpec,
)
from skills.skill import SkillDraft
from storage.catalog import Catalog

SECONDS = 120.0  # for a start on a busy machine, which may have to convert the backbone first
SWAP_SECONDS = 2.0  # the promise: a promoted version is served within
REPOSITORY = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())
SERVICE = "softspoken.nlu.v1.TrainingService"

EXAMPLES = [
    Example(f"{text} {end}", intent=intent)
    for intent, texts in (
        ("lost_card", ("I lost my card", "my card is gone", "somebody took my card")),
        ("balance", ("what is my balance", "how much money do I have", "tell me what is left")),
    )
    for text in texts
    for end in ("please", "now", "thanks")
]


@contextmanager
def softspoken(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command until the block ends."""
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, *arguments]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(SECONDS)


@contextmanager
def serving(url: str, *options: str) -> Iterator[str]:
    """Run a server and give its address once it answers."""
    settings = ["--catalog", url, "--address", "127.0.0.1:0", "--threads", "1", "--cache-dir", str(CACHE)]
    with softspoken("serve", *settings, *options) as process:
        assert process.stdout is not None
        _, serving_on, address = process.stdout.readline().partition("serving on ")
        assert serving_on, f"the server ended with exit code {process.wait(SECONDS)}"
        yield address.strip()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    opened = Catalog.open(url)
    yield opened
    opened.close()


def health_of(address: str) -> int:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        return int(stub.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=SECONDS).status)


def test_without_the_option_there_is_no_such_service(url: str) -> None:
    with serving(url) as address:
        with pytest.raises(grpc.RpcError) as raised:
            health_of(address)
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        with TrainingClient(address) as client, pytest.raises(ServerError, match="UNIMPLEMENTED"):
            client.list_jobs()


def test_a_job_is_trained_and_its_version_is_served_once_it_is_promoted(
    url: str, catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    catalog.publish(make_draft(backbone, "concierge"), alias="live")
    settings = {"epochs": "1", "min_steps": "0", "max_steps": "2", "prompt_length": "1"}
    spec = TrainingSpec("concierge", SkillKind.INTENT, settings, alias="candidate")
    worker = ("worker", "--catalog", url, "--threads", "1", "--nice", "0", "--cache-dir", str(CACHE))
    with (
        serving(url, "--training") as address,
        TrainingClient(address) as training,
        Client(address) as client,
    ):
        assert health_of(address) == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(InvalidRequestError, match="epoch"):
            training.submit(TrainingSpec("concierge", SkillKind.INTENT, {"epoch": "1"}), EXAMPLES)

        job = training.submit(spec, EXAMPLES)
        with softspoken(*worker):
            done = training.wait(job.id, timeout=SECONDS)
        assert (done.state, done.version, done.reason) == (JobState.SUCCEEDED, 2, "")
        assert training.promote("concierge@candidate").version == 2

        changes = client.watch_skills(timeout=SWAP_SECONDS)
        assert any(
            each.skill.version == 2 and "live" in each.aliases for list_ in changes for each in list_.skills
        )
        (result,) = client.parse(ParseRequest("I lost my card", skills=("concierge",))).results
        assert result.skill.version == 2
        assert {intent.name for intent in result.ranking} == {"lost_card", "balance"}
