"""`softspoken serve --workers 2` as an operator runs it: shared out, scraped, killed, stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil  # type: ignore[import-untyped]
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nlu.backbone import Backbone
from nlu.cache import default_cache
from nlu.v1 import nlu_pb2, nlu_pb2_grpc
from storage.catalog import Catalog
from tests.conftest import draft_of
from tests.soon import soon

SECONDS = 120.0  # for what a busy machine may take
ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("SOFTSPOKEN_CACHE_DIR") or default_cache())
CONNECTIONS = 16  # the kernel gives all of them to one of two servers once in 30,000 times
TEXT = "the same long sentence over and over again " * 10


@dataclass(frozen=True)
class Group:
    """A group that answers; `command` starts another one."""

    command: list[str]
    process: psutil.Popen
    address: str
    http: str
    metrics: str

    def servers(self) -> set[int]:
        """The processes that serve."""
        found = set()
        for child in self.process.children():
            with suppress(psutil.Error):  # it has just ended
                if "spawn_main" in " ".join(child.cmdline()):
                    found.add(child.pid)
        return found

    def answers(self) -> Counter[str]:
        """How many calls over gRPC each server has answered, as Prometheus is told."""
        found: Counter[str] = Counter()
        for family in text_string_to_metric_families(httpx.get(self.metrics).text):
            for sample in family.samples:
                if sample.name == "softspoken_requests_total" and sample.labels["code"] == "OK":
                    found[sample.labels["worker"]] += int(sample.value)
        return found

    @contextmanager
    def connections(self) -> Iterator[list[Any]]:
        """Yield stubs that share no connection, as those of one process otherwise do."""
        with ExitStack() as stack:
            options = [("grpc.use_local_subchannel_pool", 1)]
            channels = [grpc.insecure_channel(self.address, options) for _ in range(CONNECTIONS)]
            yield [nlu_pb2_grpc.NluServiceStub(stack.enter_context(channel)) for channel in channels]

    def ask(self) -> None:
        """Ask over each of many connections; one that a dying server resets is made again."""
        request = nlu_pb2.ParseRequest(text="pay my card")
        with self.connections() as stubs:
            for stub in stubs:
                assert stub.Parse(request, timeout=SECONDS, wait_for_ready=True).results


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    url = f"sqlite:///{tmp_path_factory.mktemp('group') / 'catalog.db'}"
    catalog = Catalog.open(url)
    catalog.publish(draft_of(Backbone.load(cache=CACHE), "banking"), alias="live")
    catalog.close()
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "serve", "--catalog", url]
    command += ["--cache-dir", str(CACHE), "--threads", "1", "--precision", "float32", "--workers", "2"]
    command += ["--grace-seconds", str(SECONDS), "--queue-seconds", str(SECONDS), "--address"]
    running = [*command, "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    process = psutil.Popen(running, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        lines = [process.stdout.readline().removeprefix("serving on ").strip() for _ in range(3)]
        assert all(lines), f"it ended with {process.wait(SECONDS)}"
        yield Group(command, process, *lines)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS)
        process.stdout.close()


def test_all_servers_take_calls_and_one_page_tells_of_them(group: Group) -> None:
    assert len(group.servers()) == 2
    group.ask()
    assert httpx.post(f"{group.http}/model/parse", json={"text": "pay my card"}).is_success
    answers = group.answers()
    assert set(answers) == {"1", "2"}
    assert answers.total() == CONNECTIONS


def test_the_port_is_nobody_elses(group: Group) -> None:
    other = subprocess.run([*group.command, group.address], cwd=ROOT, capture_output=True, text=True)
    assert other.returncode == 2
    assert other.stderr.count(f"cannot listen on {group.address}") == 1


def test_a_group_that_cannot_start_says_why_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.cli", "--config", os.devnull, "serve", "--workers", "2"]
    command += ["--address", "127.0.0.1:0", "--catalog", f"sqlite:///{tmp_path / 'missing' / 'catalog.db'}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.count("error: ") == 1
    assert not ended.stdout


def all_answer(group: Group) -> bool:
    group.ask()
    return len(group.answers()) == 2


def test_a_server_that_is_killed_gets_a_successor_and_the_other_one_answers(group: Group) -> None:
    before = group.servers()
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    soon(lambda: killed not in group.servers())
    group.ask()  # whoever is there
    soon(lambda: all_answer(group))
    assert len(group.servers()) == 2
    assert group.servers() > before - {killed}


def test_a_stop_answers_everything_in_flight_and_exits_with_0(group: Group) -> None:
    batch = nlu_pb2.BatchParseRequest(requests=[nlu_pb2.ParseRequest(text=TEXT)] * 8)
    with group.connections() as stubs:
        calls = [stub.BatchParse.future(batch, timeout=SECONDS) for stub in stubs]
        for stub in stubs:  # sent after the batch of the same connection: once answered, that is there
            stub.ListSkills(nlu_pb2.ListSkillsRequest(), timeout=SECONDS)
        assert not all(call.done() for call in calls)
        group.process.terminate()
        answers = [call.result() for call in calls]
    assert [len(answer.items) for answer in answers] == [8] * CONNECTIONS
    assert all(item.HasField("response") for answer in answers for item in answer.items)
    assert group.process.wait(SECONDS) == 0
