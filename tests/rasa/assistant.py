"""A Rasa project and the assistant that runs from it, each command a process of Rasa's own Python."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DATA = ROOT / "examples" / "concierge" / "rasa"  # NLU data, which the skill learns and Rasa is tested on
SECONDS = 240.0  # for one command on a busy machine
PAUSE = 0.2  # s between looks at a server that starts


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Project:
    """A copy of a Rasa project; the service is at `address`, whatever config.yml says."""

    folder: Path
    python: Path
    address: str
    actions_port: int

    @classmethod
    def copied(cls, folder: Path, python: Path, address: str) -> Project:
        """Return a copy of tests/rasa/project, with the example's NLU data."""
        project = cls.of(ROOT / "tests" / "rasa" / "project", folder, python, address)
        shutil.copytree(DATA, folder / "data", dirs_exist_ok=True)
        return project

    @classmethod
    def of(cls, source: Path, folder: Path, python: Path, address: str) -> Project:
        """Return a copy of the project `source`."""
        shutil.copytree(source, folder)
        (folder / "path").mkdir()
        for name in ("nlu", "tests"):  # and nothing else of ours is in Rasa's reach
            (folder / "path" / name).symlink_to(ROOT / name)
        return cls(folder, python, address, free_port())

    def run(
        self, *arguments: str, seconds: float = SECONDS, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python ARGUMENTS` in the project, and return what it said on both streams as stdout."""
        return subprocess.run(
            self._command(*arguments),
            cwd=self.folder,
            env=self._variables() | variables,
            timeout=seconds,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    @contextmanager
    def serving(self, model: str) -> Iterator[Assistant]:
        """Run `rasa run` until the end of the block; its log is rasa.log."""
        port = free_port()
        arguments = ["run", "--enable-api", "-p", str(port), "-m", f"models/{model}.tar.gz"]
        with self._running("rasa.log", self._command("-m", "rasa", *arguments)) as process:
            assistant = Assistant(port)
            assistant.wait(process)
            yield assistant

    @contextmanager
    def acting(self, python: Path) -> Iterator[None]:
        """Run the action server, with a Python of its own, until the end of the block; see actions.log."""
        command = [str(python), "-m", "rasa_sdk", "--actions", "actions", "-p", str(self.actions_port)]
        with self._running("actions.log", command) as process:
            Assistant(self.actions_port).wait(process, path="/health")
            yield

    @contextmanager
    def _running(self, log: str, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        with (self.folder / log).open("w") as out:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self._variables(), stdout=out, stderr=out
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(SECONDS)

    def _command(self, *arguments: str) -> list[str]:
        return [str(self.python), "-W", "ignore", *arguments]

    def _variables(self) -> dict[str, str]:
        ours = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SOFTSPOKEN_", "PYTHON"))
        }
        return ours | {
            "PYTHONPATH": str(self.folder / "path"),
            "SOFTSPOKEN_ADDRESS": self.address,
            "ACTIONS_URL": f"http://127.0.0.1:{self.actions_port}/webhook",
            "RASA_TELEMETRY_ENABLED": "false",
            "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_NUM_INTRAOP_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }


@dataclass(frozen=True)
class Assistant:
    """A Rasa that runs at a port of this machine."""

    port: int

    def parse(self, text: str) -> dict[str, Any]:
        """Return what /model/parse says."""
        found: dict[str, Any] = self._ask("POST", "/model/parse", {"text": text})
        return found

    def say(self, text: str, sender: str) -> list[str]:
        """Return what the bot answers over the REST channel."""
        replies = self._ask("POST", "/webhooks/rest/webhook", {"sender": sender, "message": text})
        return [reply["text"] for reply in replies]

    def understood(self, sender: str) -> dict[str, Any]:
        """Return what was made of the sender's last message.

        The tracker's `latest_message` is another: it leaves out the answers that a form has taken.
        """
        tracker = self._ask("GET", f"/conversations/{sender}/tracker?include_events=ALL")
        said = [event for event in tracker["events"] if event["event"] == "user"]
        found: dict[str, Any] = said[-1]["parse_data"]
        return found

    def wait(self, process: subprocess.Popen[bytes], path: str = "/") -> None:
        """Wait until the server answers."""
        while process.poll() is None:
            try:
                self._ask("GET", path)
                return
            except OSError:
                time.sleep(PAUSE)
        raise AssertionError(f"it ended with exit code {process.returncode}: see its log in the project")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return what was answered, of JSON if it is; every status but 200 is an AssertionError."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)) as connection:
            connection.request(
                method, path, None if body is None else json.dumps(body), {"content-type": "application/json"}
            )
            reply = connection.getresponse()
            text = reply.read()
        assert reply.status == http.HTTPStatus.OK, text
        return json.loads(text) if reply.headers.get_content_type() == "application/json" else text
