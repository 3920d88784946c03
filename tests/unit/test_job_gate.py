from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.loaded import load_skill
from skills.errors import InputError
from skills.gates import Gates
from skills.job import JobRequest
from skills.skill import SkillDraft, SkillKind
from skills.utterance import Utterance
from storage.catalog import Catalog
from training.evaluation import Evaluation
from training.examiner import Examiner
from training.job_gate import JobGate

FLOAT32 = Compute("cpu", Precision.FLOAT32, threads=1)
TEXTS = ("hello", "pay the bill", "will it rain", "a red car", "sing", "where is Oslo", "two", "good bye")
NO_REGRESSION = Gates(no_regression=True).as_dict()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield opened
    opened.close()


@pytest.fixture
def draft(backbone: Backbone, make_draft: Callable[..., SkillDraft]) -> Callable[..., SkillDraft]:
    """Return a function that makes a skill that answers at random, with an accuracy as stored."""

    def make(seed: int = 0, accuracy: float = 0.75) -> SkillDraft:
        made = make_draft(backbone, "chat", seed=seed)
        return replace(made, metrics={"accuracy": accuracy})

    return make


@pytest.fixture
def gate(catalog: Catalog, backbone: Backbone) -> Callable[..., tuple[str, ...]]:
    """Return a function that says why a draft does not pass."""

    def check(draft: SkillDraft, gates: dict[str, Any], rows: Any = None, **request: Any) -> tuple[str, ...]:
        asked = JobRequest("chat", SkillKind.INTENT, gates=gates, **request)
        return JobGate(catalog, asked, rows).failures(draft, backbone, FLOAT32)

    return check


def answers(catalog: Catalog, backbone: Backbone, draft: SkillDraft) -> list[Utterance]:
    """Return rows that a version of the draft, stored as `other`, answers as they say."""
    version = catalog.publish(replace(draft, name="other"))
    skill = load_skill(version, draft.tensors, backbone)
    rows = [Utterance(text, "red") for text in TEXTS]
    found = Examiner(backbone, FLOAT32, "torch").evaluate(skill, rows)
    assert isinstance(found, Evaluation)
    return [replace(row, intent=each.answered) for row, each in zip(rows, found.predictions, strict=True)]


def test_the_minimum_holds_for_the_draft_alone(
    gate: Callable[..., tuple[str, ...]], draft: Callable[..., SkillDraft]
) -> None:
    minimum = Gates({"accuracy": 0.8}).as_dict()

    assert gate(draft(accuracy=0.8), minimum) == ()
    assert gate(draft(accuracy=0.7), minimum) == ("accuracy is 0.7, at least 0.8 is needed",)
    assert gate(draft(accuracy=0.7), minimum, alias=None) == ()


def test_without_held_out_rows_stored_metrics_are_compared(
    catalog: Catalog, gate: Callable[..., tuple[str, ...]], draft: Callable[..., SkillDraft]
) -> None:
    assert gate(draft(accuracy=0.1), NO_REGRESSION) == ()  # there is nothing to fall behind
    catalog.publish(draft(), alias="live")

    assert gate(draft(accuracy=0.75), NO_REGRESSION) == ()
    assert gate(draft(accuracy=0.7), NO_REGRESSION)[0].startswith("accuracy is 0.7, at least the 0.75")
    assert gate(draft(accuracy=0.1), NO_REGRESSION, alias="trial") == ()


def test_on_held_out_rows_both_versions_answer_the_same(
    catalog: Catalog,
    backbone: Backbone,
    gate: Callable[..., tuple[str, ...]],
    draft: Callable[..., SkillDraft],
) -> None:
    live, other = draft(0, accuracy=0.0), draft(1, accuracy=1.0)  # stored numbers that are not true
    catalog.publish(live, alias="live")
    rows = answers(catalog, backbone, live)

    assert gate(live, NO_REGRESSION, rows) == ()
    (reason,) = gate(other, NO_REGRESSION, rows)
    assert "at least the 1 of the version in place is needed" in reason


def test_a_version_that_cannot_be_compared_does_not_pass(
    catalog: Catalog, gate: Callable[..., tuple[str, ...]], draft: Callable[..., SkillDraft]
) -> None:
    catalog.publish(replace(draft(), backbone="c" * 64), alias="live")

    (reason,) = gate(draft(), NO_REGRESSION, [Utterance("hello", "red")])

    assert reason.startswith("it could not be compared with chat@1: chat@1 was trained on backbone cccc")


@pytest.mark.parametrize(
    ("alias", "reasons", "named"),
    [
        ("live", (), "live"),
        ("live", ("worse",), "candidate"),
        ("candidate", ("worse",), None),
        (None, (), None),
    ],
)
def test_what_fails_becomes_a_candidate(
    catalog: Catalog, alias: str | None, reasons: tuple[str, ...], named: str | None
) -> None:
    assert JobGate(catalog, JobRequest("chat", SkillKind.INTENT, alias=alias), None).alias(reasons) == named


def test_gates_are_checked_before_the_training(catalog: Catalog) -> None:
    with pytest.raises(InputError, match="gates have no 'accuracy'"):
        JobGate(catalog, JobRequest("chat", SkillKind.INTENT, gates={"accuracy": 1}), None)
