"""The training client by itself: what it needs, and what it makes of a newer server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nlu.training_client import (
    Example,
    InvalidRequestError,
    JobState,
    SkillKind,
    TrainingClient,
    TrainingSpec,
)
from nlu.training_client_wire import BATCH_BYTES, UploadMessages, read_job, write_start
from nlu.v1 import training_pb2

REPOSITORY = Path(__file__).parents[3]
SECONDS = 30.0  # a test that waits for longer has failed

BLOCKED = ("google.rpc", "numpy", "pydantic", "skills", "sqlalchemy", "storage", "torch", "training")
ONLY_CLIENT = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None  # an import of it now fails
import nlu.training_client
"""


def test_it_needs_only_grpc_protobuf_and_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONLY_CLIENT], cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr


def test_what_a_newer_server_says_is_unspecified() -> None:
    newer = training_pb2.Job(state=99, spec=training_pb2.TrainingSpec(kind=99))  # type: ignore[arg-type]
    job = read_job(training_pb2.GetJobResponse(job=newer))
    assert (job.state, job.spec.kind) == (JobState.UNSPECIFIED, SkillKind.UNSPECIFIED)


def test_messages_are_well_below_the_limit_and_the_end_counts_all_examples(spec: TrainingSpec) -> None:
    start = write_start(spec, slot_kinds={}, priority=0, idempotency_key="")
    largest = Example("x" * 2000, corrections=("y" * 2000,) * 100)
    first, *batches, end = UploadMessages(start, [largest] * 5, [Example("z")] * 2)
    assert first.start == start
    assert [len(each.batch.examples) for each in batches] == [2, 2, 1, 2]
    assert {each.batch.split for each in batches[:3]} == {training_pb2.EXAMPLE_SPLIT_TRAIN}
    assert batches[3].batch.split == training_pb2.EXAMPLE_SPLIT_DEV
    assert max(each.ByteSize() for each in batches) < 4 * BATCH_BYTES
    assert end.end.examples == 7


@pytest.mark.parametrize(
    "wrong",
    [
        TrainingSpec("concierge", "intents"),  # type: ignore[arg-type]
        TrainingSpec("concierge", SkillKind.UNSPECIFIED),
        TrainingSpec("concierge", SkillKind.INTENT, settings={"epochs": 3}),  # type: ignore[dict-item]
        TrainingSpec("\ud800", SkillKind.INTENT),
    ],
)
def test_a_spec_that_cannot_be_sent_is_refused_before_a_server_is_asked(wrong: TrainingSpec) -> None:
    with TrainingClient("127.0.0.1:1") as client, pytest.raises(InvalidRequestError, match="cannot be sent"):
        client.submit(wrong, [])
