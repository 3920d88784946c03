from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from nlu.backbone import Backbone
from nlu.compute import Compute, Precision
from nlu.engine import make_engine
from nlu.head import IntentHead
from nlu.loaded import LoadedSkill, load_skill
from skills.skill import Calibration, SkillDraft, SkillRef, SkillVersion
from storage.catalog import Catalog
from training.cli.program import program
from training.evaluation import encode_texts

TEXTS = {"red": "a red car", "green": "green grass", "blue": "the blue sea"}


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """A catalog that the commands use without being told to."""
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOFTSPOKEN_CATALOG", url)
    for name, value in (("ENGINE", "torch"), ("PRECISION", "float32"), ("THREADS", "1")):
        monkeypatch.setenv(f"SOFTSPOKEN_{name}", value)
    catalog = Catalog.open(url)
    yield catalog
    catalog.close()


@pytest.fixture
def make_knowing(
    backbone: Backbone, make_draft: Callable[..., SkillDraft], make_version: Callable[..., SkillVersion]
) -> Callable[..., SkillDraft]:
    """Return a function that makes a skill which answers some of the texts right, and the others wrong."""

    def make(*known: str, labels: tuple[str, ...] = tuple(TEXTS)) -> SkillDraft:
        draft = make_draft(backbone, "colours")
        skill = _load(backbone, make_version(draft), draft.tensors)
        engine = make_engine(backbone, Compute("cpu", Precision.FLOAT32, threads=1), "torch")
        features = encode_texts(skill.prompt, [TEXTS[label] for label in labels], backbone, engine)
        signs = np.array([1.0 if label in known else -1.0 for label in labels], np.float32)
        prototypes = signs[:, None] * (features - features.mean(axis=0))
        head = IntentHead(labels, prototypes, 16.0, None, 0.0, Calibration())
        return replace(make_draft(backbone, "colours", intent=head), metrics={"accuracy": 0.75})

    return make


def _load(backbone: Backbone, version: SkillVersion, tensors: bytes) -> LoadedSkill:
    return load_skill(version, tensors, backbone)


def write_rows(*labels: str) -> str:
    lines = [json.dumps({"text": TEXTS[label], "intent": label}) + "\n" for label in labels]
    Path("rows.jsonl").write_text("".join(lines), encoding="utf-8")
    return "rows.jsonl"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["skills", "promote", *arguments], prog_name="softspoken")


def test_the_toy_skills_know_what_they_should(
    backbone: Backbone, make_knowing: Callable[..., SkillDraft], catalog: Catalog
) -> None:
    catalog.publish(make_knowing("red"))
    rows = write_rows(*TEXTS)
    arguments = ["evaluate", "colours@1", "--data", rows, "--json"]
    result = CliRunner().invoke(program, arguments, prog_name="softspoken")
    assert json.loads(result.stdout)["accuracy"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("minimum", "reason"),
    [
        (["accuracy=0.75"], None),
        (["accuracy=0.8"], "accuracy is 0.75, at least 0.8 is needed"),
        (["accuracy=0.7", "macro_f1=0.5"], "macro_f1 was not measured"),
    ],
)
def test_without_data_the_stored_metrics_count(
    catalog: Catalog,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
    minimum: list[str],
    reason: str | None,
) -> None:
    catalog.publish(make_draft(backbone, "colours", seed=1), alias="live")
    catalog.publish(make_draft(backbone, "colours", seed=2))
    revision = catalog.revision()

    result = run("colours@2", *(part for each in minimum for part in ("--min", each)))

    if reason is None:
        assert (result.exit_code, result.stdout) == (0, "colours@2 is live\n")
    else:
        assert (result.exit_code, result.stdout) == (1, "")
        assert "colours@2 was not promoted" in result.stderr and reason in result.stderr
        assert catalog.revision() == revision  # nothing was written
    assert catalog.get(SkillRef("colours")).version == (2 if reason is None else 1)


def test_force_promotes_and_says_so(
    catalog: Catalog, backbone: Backbone, make_draft: Callable[..., SkillDraft]
) -> None:
    catalog.publish(make_draft(backbone, "colours"))
    result = run("colours@1", "--min", "accuracy=0.8", "--force", "--json")
    assert result.exit_code == 0
    assert "promoted by force: accuracy is 0.75" in result.stderr
    document: Any = json.loads(result.stdout)
    assert document["aliases"] == ["live"]
    assert document["forced"] == ["accuracy is 0.75, at least 0.8 is needed"]


@pytest.mark.parametrize(
    ("live", "candidate", "options", "reason"),
    [
        (["red"], ["red", "green", "blue"], ["--no-regression"], None),
        (["red", "green", "blue"], ["red"], ["--no-regression"], "accuracy is 0.333333, at least the 1 of"),
        (["red", "green", "blue"], ["red"], ["--no-regression", "--tolerance", "0.7"], None),
        (["red", "green", "blue"], ["red"], ["--min", "accuracy=0.3"], None),
        (["red"], ["red"], ["--min", "accuracy=0.7"], "accuracy is 0.333333, at least 0.7 is needed"),
        (None, ["red"], ["--no-regression"], None),
    ],
)
def test_with_data_both_are_measured_on_it(
    catalog: Catalog,
    make_knowing: Callable[..., SkillDraft],
    live: list[str] | None,
    candidate: list[str],
    options: list[str],
    reason: str | None,
) -> None:
    if live is not None:
        catalog.publish(make_knowing(*live), alias="live")
    version = catalog.publish(make_knowing(*candidate)).version

    result = run(f"colours@{version}", "--data", write_rows(*TEXTS), *options)

    assert result.exit_code == (0 if reason is None else 1), result.stderr
    assert (reason or "") in result.stderr
    promoted = [each.version for each in catalog.versions("colours") if "live" in each.aliases]
    assert promoted == [1 if reason is not None else version]


def test_new_labels_count_for_the_minimum_but_not_against_the_version_in_place(
    catalog: Catalog, make_knowing: Callable[..., SkillDraft]
) -> None:
    catalog.publish(make_knowing("red", "green", labels=("red", "green")), alias="live")
    catalog.publish(make_knowing("red", "green", "blue"))
    options = ["--data", write_rows(*TEXTS), "--no-regression"]

    result = run("colours@2", *options, "--min", "rows=4")
    assert result.exit_code == 1
    assert "1 rows have labels that colours@1 does not know: not compared" in result.stderr
    assert "rows is 3, at least 4 is needed" in result.stderr
    assert run("colours@2", *options, "--min", "rows=3").exit_code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--no-regression"], "name them with --data"),
        (["--data", "rows.jsonl"], "--data alone is no gate"),
        (["--min", "accuracy"], "--min 'accuracy' is not METRIC=VALUE"),
        (["--min", "accuracy=high"], "is not METRIC=VALUE"),
        (["--min", "accuracy=nan"], "gate 'accuracy' is nan"),
        (["--data", "nothing.jsonl", "--no-regression"], "nothing.jsonl"),
    ],
)
def test_wrong_gates_end_with_2(
    catalog: Catalog,
    backbone: Backbone,
    make_draft: Callable[..., SkillDraft],
    options: list[str],
    message: str,
) -> None:
    catalog.publish(make_draft(backbone, "colours"))
    result = run("colours@1", *options, "--force")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert catalog.get(SkillRef("colours", 1)).aliases == ()
