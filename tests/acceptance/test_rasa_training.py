"""`rasa train nlu` of a real Rasa has a skill trained by our server and worker; its model asks for that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlu.cache import default_cache
from nlu.training_client import JobState, TrainingClient
from tests.acceptance.test_rasa import environment
from tests.acceptance.test_training_service import serving, softspoken
from tests.rasa.assistant import ROOT, Project
from tests.rasa.environment import RASA

LIBRARY = ROOT / "tests" / "rasa" / "library"
CACHE = os.environ.get("SOFTSPOKEN_CACHE_DIR") or str(default_cache())

pytestmark = pytest.mark.timeout(1800)  # the first run installs Rasa


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest) -> Path:
    return environment(request, RASA)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def address(url: str) -> Iterator[str]:
    with serving(url, "--training") as address:
        yield address


def test_rasa_train_has_a_skill_trained_once_and_its_model_asks_that_version(
    python: Path, url: str, address: str, tmp_path: Path
) -> None:
    project = Project.of(LIBRARY, tmp_path / "project", python, address)
    train = ("-m", "rasa", "train", "nlu", "--nlu", "data")
    with TrainingClient(address) as client:
        with softspoken("worker", "--catalog", url, "--threads", "1", "--nice", "0", "--cache-dir", CACHE):
            trained = project.run(*train, "--fixed-model-name", "first")
        assert trained.returncode == 0, trained.stdout
        assert "job 1 is queued to train library" in trained.stdout
        assert "job 1 made library@1" in trained.stdout
        assert "lookup author: no example has an entity of that name: not used" in trained.stdout

        again = project.run(*train)
        assert again.returncode == 0, again.stdout
        assert "Restored component" in again.stdout and "softspoken: job" not in again.stdout
        [job] = client.list_jobs()
        assert (job.state, job.version, job.spec.alias) == (JobState.SUCCEEDED, 1, None)

        with project.serving("first") as assistant:
            found = assistant.parse("put Lanterns aside for me")
        assert found["softspoken"]["skills"] == ["library@1"]

        borrow = project.folder / "data" / "nlu" / "borrow.yml"
        borrow.write_text(borrow.read_text("utf-8").replace(r"LB-\d{4}", "LB-("), "utf-8")
        refused = project.run(*train)
        assert refused.returncode == 1
        assert "SoftspokenException" in refused.stdout and "pattern 'LB-(' is not a regular" in refused.stdout
