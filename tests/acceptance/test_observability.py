"""`softspoken serve` as a process with metrics, traces and a JSON log, as deploy/ and docs/ know them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import promql_parser as promql
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from nlu.backbone import Backbone
from nlu.cache import default_cache
from nlu.client import Client
from nlu.client_errors import InvalidRequestError
from nlu.client_types import ParseRequest
from skills.skill import SkillDraft, SkillKind
from skills.traffic import Traffic
from storage.catalog import Catalog
from tests import collector as of_collector
from tests.collector import Collector

SECONDS = 120.0  # for a start on a busy machine
ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())
DEPLOY = ROOT / "deploy"
OF_PROMETHEUS = {"job", "instance"}  # labels that it adds itself
OWN = ("up",)  # and its own metric
UTTERANCE = "my secret trip to New York"
REQUEST = "request-of-the-test"

Labels: TypeAlias = Mapping[str, str]

collector = of_collector.collector


@dataclass
class Observed:
    """What a server that has answered some calls told."""

    samples: dict[str, list[Labels]] = field(default_factory=dict)  # by name
    families: set[str] = field(default_factory=set)
    log: list[dict[str, Any]] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)  # that came back
    exit_code: int | None = None


@pytest.fixture
def observed(
    tmp_path: Path, collector: tuple[str, Collector], make_draft: Callable[..., SkillDraft]
) -> Observed:
    """Serve a skill on trial, ask it over gRPC and HTTP, wrongly too, and stop the server."""
    url, told = f"sqlite:///{tmp_path / 'catalog.db'}", Observed()
    backbone, catalog = Backbone.load(cache=CACHE), Catalog.open(url)
    catalog.publish(make_draft(backbone, "travel", SkillKind.JOINT), alias="live")
    catalog.publish(make_draft(backbone, "travel", SkillKind.JOINT, seed=1), alias="candidate")
    catalog.trials.set("travel", Traffic(shadow=1.0))
    catalog.close()
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "serve", "--catalog", url]
    command += ["--cache-dir", str(CACHE), "--threads", "1", "--address", "127.0.0.1:0"]
    command += ["--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--otlp", collector[0]]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **streams) as process:  # type: ignore[call-overload]
        try:
            lines = [process.stdout.readline() for _ in range(3)]
            address, http, metrics = (line.removeprefix("serving on ").strip() for line in lines)
            told.request_ids = ask(address, http)
            read_metrics(metrics, told)
        finally:
            process.send_signal(signal.SIGTERM)
            written = process.communicate(timeout=SECONDS)[1]
    told.exit_code = process.returncode
    lines = [
        line for line in written.splitlines() if line.startswith("{")
    ]  # gRPC's core has a log of its own
    told.log = [json.loads(line) for line in lines]
    return told


def ask(address: str, http: str) -> list[str]:
    """Return the request ids that came back."""
    with Client(address, timeout=SECONDS) as client:
        found = [client.parse(ParseRequest(UTTERANCE, request_id=REQUEST)).request_id]
        with pytest.raises(InvalidRequestError):
            client.parse(UTTERANCE * 100)
    answer = httpx.post(f"{http}/model/parse", json={"text": UTTERANCE}, headers={"x-request-id": REQUEST})
    assert answer.status_code == httpx.codes.OK
    return [*found, answer.headers["x-request-id"]]


def read_metrics(url: str, told: Observed) -> None:
    for family in text_string_to_metric_families(httpx.get(url).text):
        told.families.add(family.name)
        for sample in family.samples:
            told.samples.setdefault(sample.name, []).append(sample.labels)


def expressions() -> Iterator[tuple[str, str]]:
    """Yield where an expression is, and the expression."""
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule.get("alert") or rule["record"], rule["expr"]
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "softspoken.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked = variable["query"]["query"]
            yield variable["name"], re.sub(r"label_values\((\w+), (\w+)\)", r"sum by (\2) (\1)", asked)


class Question:
    """What a PromQL expression asks for, against what is told."""

    def __init__(self, samples: Mapping[str, list[Labels]], recorded: Mapping[str, set[str]]) -> None:
        self._samples = samples
        self._recorded = recorded
        self.problems: list[str] = []

    def ask(self, expression: Any) -> set[str]:
        """Return the labels that the vectors in an expression may have; note what is not there."""
        match expression:
            case promql.VectorSelector():
                return self._select(expression)
            case promql.MatrixSelector():
                return self._select(expression.vector_selector)
            case promql.AggregateExpr():
                labels = self.ask(expression.expr)
                by = set(expression.modifier.labels) if expression.modifier else set()
                self.problems += [
                    f"no label {label} in {expression}" for label in by - labels - OF_PROMETHEUS
                ]
                return by
            case promql.BinaryExpr():
                return self.ask(expression.lhs) | self.ask(expression.rhs)
            case promql.Call():
                return set().union(*map(self.ask, expression.args))
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                return self.ask(expression.expr)
            case promql.NumberLiteral() | promql.StringLiteral():
                return set()
        raise AssertionError(f"what is {type(expression).__name__}?")

    def _select(self, selector: Any) -> set[str]:
        name = selector.name
        if name in self._recorded:
            return self._recorded[name]
        if name not in self._samples and name not in OWN:
            self.problems.append(f"no metric {name}")
            return set()
        known = self._samples.get(name, [])
        labels = set().union(*known)
        for matcher in selector.matchers.matchers:
            values = {sample.get(matcher.name) for sample in known}
            if matcher.name not in labels | OF_PROMETHEUS:
                self.problems.append(f"no label {matcher.name} of {name}")
            elif (
                matcher.name in labels and matcher.op == promql.MatchOp.Equal and matcher.value not in values
            ):
                self.problems.append(f"{name} never has {matcher.name}={matcher.value}")
        return labels | OF_PROMETHEUS


def test_what_a_server_tells_is_what_deploy_and_docs_know(
    observed: Observed, collector: tuple[str, Collector]
) -> None:
    assert observed.exit_code == 0

    recorded: dict[str, set[str]] = {}
    for place, expression in expressions():
        question = Question(observed.samples, recorded)
        labels = question.ask(promql.parse(expression))
        assert not question.problems, f"{place}: {expression}"
        if ":" in place:
            recorded[place] = labels

    documented = set(re.findall(r"`(softspoken_\w+)`", (ROOT / "docs" / "observability.md").read_text()))
    ours = {name for name in observed.samples if name.startswith("softspoken_")}
    assert documented == {re.sub("_(bucket|count|sum)$", "", name) for name in ours}
    alerts = {place for place, _ in expressions() if place.startswith("Softspoken")}
    described = re.findall(r"^\| `(Softspoken\w+)`", (ROOT / "docs" / "observability.md").read_text(), re.M)
    assert set(described) == alerts

    assert observed.request_ids == [REQUEST, REQUEST]
    lines = {line["method"]: line for line in observed.log if line.get("request_id") == REQUEST}
    assert lines["Parse"]["code"] == "OK"
    assert lines["POST /model/parse"]["code"] == httpx.codes.OK
    assert UTTERANCE not in json.dumps(observed.log)

    _, kept = collector
    assert {"softspoken.nlu.v1.NluService/Parse", "/model/parse", "parse", "queue", "inference"} <= {
        *(span.name for span in kept.spans)
    }
    assert UTTERANCE.encode() not in kept.data
