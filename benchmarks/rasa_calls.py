"""Calls of Rasa's HTTP API, and how long they and others take."""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psutil  # type: ignore[import-untyped]

from skills.errors import SoftspokenError

QuestionT = TypeVar("QuestionT")

CALLERS = 4  # at once, each with a connection of its own, to measure requests per second


class Rasa:
    """One connection to the HTTP API of a Rasa that this process has started."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        children = psutil.Process().children(recursive=True)
        self._process = next(each for each in children if str(port) in each.cmdline())

    def parse(self, text: str) -> dict[str, Any]:
        """Return what /model/parse says.

        Raises:
            SoftspokenError: an error, in Rasa's words.
        """
        self._connection.request("POST", "/model/parse", json.dumps({"text": text}))
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != http.HTTPStatus.OK:
            raise SoftspokenError(f"Rasa has no answer to {text!r}: {body.decode()}")
        found: dict[str, Any] = json.loads(body)
        return found

    def processor_seconds(self) -> float:
        """Return the processor time of Rasa since its start; other work on the machine changes it little."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass
class Asked:
    """What was answered to each question, and how long it took."""

    found: list[Any] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def in_turns(
    ways: Mapping[str, Callable[[QuestionT], Any]], questions: Iterable[QuestionT]
) -> dict[str, Asked]:
    """Ask each question every way before the next one, so that what else the machine does meets all alike."""
    asked = {way: Asked() for way in ways}
    order = deque(ways)
    for question in questions:
        for way in order:
            began = time.perf_counter()
            asked[way].found.append(ways[way](question))
            asked[way].seconds.append(time.perf_counter() - began)
        order.rotate()
    return asked


def rate(port: int, texts: Sequence[str]) -> float:
    """Return the requests per second of several callers."""

    def call(share: Sequence[str]) -> None:
        with closing(Rasa(port)) as rasa:
            for text in share:
                rasa.parse(text)

    with ThreadPoolExecutor(CALLERS) as pool:
        began = time.perf_counter()
        list(pool.map(call, [texts[caller::CALLERS] for caller in range(CALLERS)]))
        return len(texts) / (time.perf_counter() - began)
